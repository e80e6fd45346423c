// Devices of a lease, from CDI files.
// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"

namespace mizan::sandbox::testing {

class DevicesTest : public SandboxTest {
 protected:
  void SetUp() override {
    SandboxTest::SetUp();
    if (IsSkipped()) return;
    write_whole(folder_->path / "data", "a driver's file\n");
    write_whole(folder_->path / "cdi/vendor.json", R"({
      "cdiVersion": "0.6.0", "kind": "vendor.com/gpu",
      "containerEdits": {"env": ["VENDOR=yes"],
                         "hooks": [{"hookName": "createContainer", "path": "/usr/bin/touch",
                                    "args": ["touch", ")" +
                                                       (folder_->path / "hooked").string() +
                                                       R"("]}]},
      "devices": [
        {"name": "0", "containerEdits": {
          "deviceNodes": [{"path": "/dev/gpu0", "hostPath": "/dev/zero"}],
          "mounts": [{"hostPath": ")" + (folder_->path / "data").string() +
                                                       R"(",
                      "containerPath": "/opt/driver", "options": ["ro", "bind"]}]}},
        {"name": "1", "containerEdits": {"deviceNodes": [{"path": "/dev/gpu1", "hostPath": "/dev/full"}]}}
      ]})");
    auto settings = options();
    settings.cdi_folders = {folder_->path / "cdi"};
    box_.reset();
    auto opened = Sandbox::open(settings);
    ASSERT_TRUE(opened);
    box_ = std::make_unique<Sandbox>(std::move(*opened));
  }
};

TEST_F(DevicesTest, OnlyThoseOfTheLeaseAreThere) {
  auto job = shell(
      "head -c 4 /dev/gpu0 | wc -c; ls /dev/gpu1; cat /opt/driver; echo x >> /opt/driver;"
      "echo VENDOR=$VENDOR");
  job.devices = {"vendor.com/gpu=0"};
  auto outcome = run(job);
  EXPECT_TRUE(outcome.out.starts_with("4\na driver's file\n")) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.value("VENDOR"), "yes");
  EXPECT_NE(outcome.err.find("/dev/gpu1"), std::string::npos);
  EXPECT_NE(outcome.err.find("/opt/driver"), std::string::npos);
  EXPECT_EQ(read_whole(folder_->path / "data"), "a driver's file\n");
  EXPECT_FALSE(std::filesystem::exists(folder_->path / "hooked")) << "a hook ran";
}

TEST_F(DevicesTest, UnknownOnesAreAnError) {
  auto job = shell("true");
  for (const auto* name : {"vendor.com/gpu=2", "other.com/gpu=0", "gpu", "vendor.com/gpu="}) {
    job.devices = {name};
    auto prepared = box().prepare(job);
    ASSERT_FALSE(prepared) << name;
    EXPECT_EQ(prepared.error().details["field"], "devices");
  }
}

}  // namespace mizan::sandbox::testing
