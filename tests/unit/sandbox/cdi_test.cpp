// CDI files, good and bad.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cdi.hpp"

#include "temporary_folder.hpp"

#include <gtest/gtest.h>

namespace mizan::sandbox {

namespace {

class CdiTest : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& text) {
    ASSERT_TRUE(make_folder((folder_.path / name).parent_path(), 0755));
    ASSERT_TRUE(write_file(folder_.path / name, text));
  }
  Result<DeviceEdits> find(const std::vector<std::string>& names) {
    return find_devices(names, {folder_.path / "etc", folder_.path / "run"});
  }
  static std::string gpu(const std::string& node, const std::string& more = "") {
    return R"({"kind": "v.com/gpu", "devices": [{"name": "0", "containerEdits": {"deviceNodes": [)" +
           node + "]" + more + "}}]}";
  }
  TemporaryFolder folder_;
};

TEST_F(CdiTest, ReadsNodesMountsAndVariables) {
  put("etc/a.json",
      gpu(R"({"path": "/dev/gpu0", "hostPath": "/dev/null", "permissions": "rwm"})",
          R"(, "env": ["A=b=c"], "mounts": [{"hostPath": "/h", "containerPath": "/c", "options": ["rw"]}])"));
  put("etc/readme.txt", "not read");
  auto edits = find({"v.com/gpu=0"});
  ASSERT_TRUE(edits) << edits.error().message;
  ASSERT_EQ(edits->nodes.size(), 1U);
  EXPECT_EQ(edits->nodes[0].path, "/dev/gpu0");
  EXPECT_EQ(edits->nodes[0].type, 'c');
  EXPECT_EQ(edits->nodes[0].major, 1U);
  EXPECT_EQ(edits->nodes[0].minor, 3U);
  EXPECT_EQ(edits->nodes[0].access, "rw");
  ASSERT_EQ(edits->mounts.size(), 1U);
  EXPECT_FALSE(edits->mounts[0].read_only);
  EXPECT_EQ(edits->env, (std::vector<std::pair<std::string, std::string>>{{"A", "b=c"}}));
}

TEST_F(CdiTest, LaterFoldersWin) {
  put("etc/a.json", gpu(R"({"path": "/dev/old", "hostPath": "/dev/null"})"));
  put("run/b.json", gpu(R"({"path": "/dev/new", "hostPath": "/dev/null"})"));
  auto edits = find({"v.com/gpu=0"});
  ASSERT_TRUE(edits);
  ASSERT_EQ(edits->nodes.size(), 1U);
  EXPECT_EQ(edits->nodes[0].path, "/dev/new");
}

TEST_F(CdiTest, RefusesWhatIsWrong) {
  for (const auto& bad :
       {std::string("{"), std::string("[]"), gpu(R"({"path": "/etc/shadow"})"),
        gpu(R"({"path": "/dev/../etc/x", "hostPath": "/dev/null"})"),
        gpu(R"({"path": "/dev/x", "hostPath": "/etc/passwd"})"),
        gpu(R"({"path": "/dev/x", "hostPath": "/dev/not-there"})"),
        gpu(R"({"path": "/dev/x", "hostPath": "/dev/null", "permissions": "q"})"), gpu(R"("text")"),
        gpu("", R"(, "env": ["novalue"])"),
        gpu("", R"(, "mounts": [{"hostPath": "relative", "containerPath": "/c"}])")}) {
    put("etc/a.json", bad);
    EXPECT_FALSE(find({"v.com/gpu=0"})) << bad;
  }
  EXPECT_TRUE(find({})->nodes.empty());  // no device asked for: the files are not even read
}

}  // namespace

}  // namespace mizan::sandbox
