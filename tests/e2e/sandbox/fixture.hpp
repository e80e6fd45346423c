// What the sandbox's tests share: a sandbox of their own, and running a job to its end.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sandbox/log_reader.hpp"
#include "sandbox/sandbox.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mizan::sandbox::testing {

inline constexpr uint64_t kMiB = 1 << 20;

/// A folder that is removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path path;
};

/// What a job did.
struct Outcome {
  State state;
  std::string out, err;
  /// Each line "name=value" that the job printed; "" if it did not.
  std::string value(const std::string& name) const;
};

/// True once `holds` is; false if the deadline passes first.
bool wait_until(const std::function<bool()>& holds, int timeout_ms = 20'000);
std::string read_whole(const std::filesystem::path& path);
void write_whole(const std::filesystem::path& path, const std::string& text);
/// Every process of the machine whose command line holds `text`.
std::vector<pid_t> processes_with(const std::string& text);

class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  Options options() const;
  Sandbox& box() { return *box_; }
  /// As if the agent were killed and started again: what it held in memory is gone.
  std::vector<Found> restart();

  static std::string new_id();
  static Spec spec(std::vector<std::string> argv);
  static Spec shell(const std::string& script);
  static Spec python(const std::string& script);
  /// The static program of attacker/main.cpp, copied into the job.
  static Spec attacker(std::vector<std::string> arguments);

  /// Waits for the job's exit notice, then gives its state.
  State wait_exit(const std::string& id, int timeout_ms = 60'000);
  std::string output(const std::string& id, LogStream stream = LogStream::out);
  bool wait_output(const std::string& id, const std::string& text);
  /// prepare, start, wait; the job is still there afterwards.
  Outcome run(const Spec& spec);

  std::unique_ptr<TemporaryFolder> folder_;
  std::unique_ptr<Sandbox> box_;
};

}  // namespace mizan::sandbox::testing
