// What check() says about a spec.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/spec.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace mizan::sandbox {

namespace {

Spec good() {
  Spec spec;
  spec.id = "0123456789abcdef";
  spec.argv = {"/bin/true"};
  return spec;
}

TEST(SpecTest, ADefaultOneIsGood) {
  EXPECT_TRUE(check(good()));
}

TEST(SpecTest, NamesTheFieldThatIsWrong) {
  struct Case {
    const char* field;
    std::function<void(Spec&)> spoil;
  };
  const std::vector<Case> cases = {
      {"id", [](Spec& s) { s.id = "short"; }},
      {"id", [](Spec& s) { s.id = "0123456789ABCDEF"; }},
      {"id", [](Spec& s) { s.id = "../../../../etc"; }},
      {"id", [](Spec& s) { s.id = std::string(65, 'a'); }},
      {"image", [](Spec& s) { s.image = "relative/layout"; }},
      {"argv", [](Spec& s) { s.argv.clear(); }},
      {"argv", [](Spec& s) { s.argv = {""}; }},
      {"argv",
       [](Spec& s) {
         s.argv = {"a", std::string("b\0c", 3)};
       }},
      {"argv",
       [](Spec& s) {
         s.argv = {"a", std::string(2 << 20, 'x')};
       }},
      {"argv", [](Spec& s) { s.argv.assign(5000, "a"); }},
      {"env",
       [](Spec& s) {
         s.env = {{"", "x"}};
       }},
      {"env",
       [](Spec& s) {
         s.env = {{"A=B", "x"}};
       }},
      {"env",
       [](Spec& s) {
         s.env = {{"A", std::string("x\0y", 3)}};
       }},
      {"cwd", [](Spec& s) { s.cwd = "relative"; }},
      {"cwd", [](Spec& s) { s.cwd = "/a/../b"; }},
      {"cwd", [](Spec& s) { s.cwd = "/proc/self"; }},
      {"cwd", [](Spec& s) { s.cwd = "/" + std::string(300, 'a'); }},
      {"copies[0].from",
       [](Spec& s) {
         s.copies = {{"relative", "/a"}};
       }},
      {"copies[0].into",
       [](Spec& s) {
         s.copies = {{"/a", "/dev/shm"}};
       }},
      {"folders[1]",
       [](Spec& s) {
         s.folders = {"/a", "b"};
       }},
      {"hostname", [](Spec& s) { s.hostname = "a b"; }},
      {"hostname", [](Spec& s) { s.hostname = "-a"; }},
      {"hostname", [](Spec& s) { s.hostname = ""; }},
      {"limits.cores", [](Spec& s) { s.limits.cores = 0; }},
      {"limits.memory_bytes", [](Spec& s) { s.limits.memory_bytes = 1 << 20; }},
      {"limits.disk_bytes", [](Spec& s) { s.limits.disk_bytes = 0; }},
      {"limits.disk_bytes", [](Spec& s) { s.limits.disk_bytes = ~0ULL; }},
      {"limits.pids", [](Spec& s) { s.limits.pids = 1; }},
      {"limits.open_files", [](Spec& s) { s.limits.open_files = 0; }},
      {"limits.log_bytes", [](Spec& s) { s.limits.log_bytes = 0; }},
  };
  for (const auto& [field, spoil] : cases) {
    auto spec = good();
    spoil(spec);
    auto checked = check(spec);
    ASSERT_FALSE(checked) << field;
    EXPECT_EQ(checked.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(checked.error().details["field"], field);
    EXPECT_EQ(checked.error().message.rfind(field, 0), 0U) << checked.error().message;
  }
}

}  // namespace

}  // namespace mizan::sandbox
