// The list of system calls that is made of containers-common's.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/seccomp.hpp"

#include "sandbox/sys.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace mizan::sandbox {

namespace {

namespace json = boost::json;

/// Name to the actions it has rules with.
std::map<std::string, std::multiset<std::string>> actions(const json::object& seccomp) {
  std::map<std::string, std::multiset<std::string>> found;
  for (const auto& rule : seccomp.at("syscalls").as_array())
    for (const auto& name : rule.at("names").as_array())
      found[std::string(name.as_string())].insert(std::string(rule.at("action").as_string()));
  return found;
}

TEST(SeccompTest, TheMachinesListIsNarrowed) {
  auto list = read_file(kSeccompList);
  if (!list) GTEST_SKIP() << "golang-github-containers-common is not installed";
  auto made = make_seccomp(*list);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->at("defaultAction").as_string(), "SCMP_ACT_ERRNO");
  EXPECT_EQ(made->at("defaultErrnoRet").to_number<int>(), ENOSYS);
  EXPECT_EQ(made->at("architectures").as_array().size(), 1U);
  auto found = actions(*made);
  for (const auto* name : {"unshare", "setns", "ptrace", "keyctl", "add_key", "mount", "umount2",
                           "bpf", "open_by_handle_at", "pivot_root", "userfaultfd"}) {
    EXPECT_EQ(found[name].count("SCMP_ACT_ALLOW"), 0U) << name;
  }
  EXPECT_FALSE(found.contains("clone3"));
  EXPECT_FALSE(found.contains("io_uring_setup"));
  EXPECT_EQ(found["clone"].size(), 1U);
  EXPECT_EQ(found["socket"].size(), 4U);
  for (const auto* name : {"read", "openat", "execve", "futex", "mmap", "landlock_create_ruleset"})
    EXPECT_EQ(found[name].count("SCMP_ACT_ALLOW"), 1U) << name;
}

TEST(SeccompTest, RulesForCapabilitiesAndOtherMachinesAreLeftOut) {
  auto made = make_seccomp(R"({"syscalls": [
    {"names": ["a"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["b"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["c"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["mips"]}},
    {"names": ["d"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "arm64"]}},
    {"names": ["e", "ptrace"], "action": "SCMP_ACT_ALLOW", "args": null}]})");
  ASSERT_TRUE(made);
  auto found = actions(*made);
  EXPECT_FALSE(found.contains("a"));
  EXPECT_TRUE(found.contains("b"));
  EXPECT_FALSE(found.contains("c"));
  EXPECT_TRUE(found.contains("d"));
  EXPECT_TRUE(found.contains("e"));
  EXPECT_EQ(found["ptrace"].count("SCMP_ACT_ALLOW"), 0U);
}

TEST(SeccompTest, ADamagedListIsAnError) {
  for (const auto* text : {"", "[]", "{}", R"({"syscalls": 3})", "{"}) {
    auto made = make_seccomp(text);
    ASSERT_FALSE(made) << text;
    EXPECT_EQ(made.error().code, ErrorCode::corrupted);
  }
}

}  // namespace

}  // namespace mizan::sandbox
