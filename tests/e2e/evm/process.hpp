// A program that a test starts: it ends with the test, whatever happens to that.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <thread>
#include <vector>

namespace mizan::test {

class Process {
 public:
  explicit Process(const std::vector<std::string>& command);
  ~Process() { kill(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// The next line of its output; empty at its end, or when none came for ten seconds.
  std::string read_line();
  void drain();      ///< reads on and throws away, so that it never waits for its reader
  void kill();       ///< as a crash ends it
  void terminate();  ///< as a user ends it; waits

 private:
  void end(int signal);
  int pid_ = -1;
  int output_ = -1;
  std::thread drain_;
};

/// Runs it to its end; its output without the last newline.
std::string output_of(const std::vector<std::string>& command);

/// contracts/node_modules/@foundry-rs/NAME-linux-amd64/bin/NAME
std::string foundry(const std::string& name);

}  // namespace mizan::test
