// Starting the few programs that the room needs: runtime, conmon, mkfs.ext4.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/unique_fd.hpp"

#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace mizan::sandbox {

/// A program to start. It gets a session of its own (a Ctrl-C meant for the agent does not reach
/// it), default signals, an environment of PATH, LANG and `env` only, and no descriptor but these.
struct Command {
  std::vector<std::string> argv;  ///< argv[0] is a path; never holds a secret
  std::vector<std::pair<std::string, std::string>> env{};
  std::string folder = "/";    ///< where it works
  int output = -1;             ///< becomes descriptors 1 and 2; -1: /dev/null
  std::vector<int> inherit{};  ///< become 3, 4, ...
};

/// Starts it (by vfork: about 1 ms whatever the agent's size). The caller waits for it.
Result<pid_t> spawn(const Command& command);
/// Waits up to `timeout_ms`, then kills it: its wait status, or `unavailable`.
Result<int> wait_for(pid_t pid, int timeout_ms);
/// Starts it, waits, and takes at most 16 KiB of its output, which is given back; with an exit code
/// other than 0 that output is the error's reason.
Result<std::string> run_tool(std::vector<std::string> argv, int timeout_ms = 60'000);
/// Where `name` lies in the usual folders of programs; empty if nowhere.
std::string find_program(const std::string& name);

}  // namespace mizan::sandbox
