// Child processes of the demo: started, watched, ended with their parent.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mizan::cli {

/// A process that dies with this one (PR_SET_PDEATHSIG). Start it from the thread that will live
/// longest. Its end is a SIGTERM and, ten seconds later, a SIGKILL.
class Child {
 public:
  struct Options {
    std::filesystem::path error_file{};      ///< where its standard error goes; empty: ours
    std::filesystem::path folder{};          ///< its working folder; empty: ours
    std::vector<std::string> environment{};  ///< "NAME=value", besides ours
    /// Deaf to Ctrl-C, which a terminal sends to the whole group.
    bool own_group = true;
  };
  static Result<Child> start(const std::vector<std::string>& command, const Options& options);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  /// The next line of its standard output, without the newline; nothing at its end. With
  /// `interrupted`, a signal that makes it true while this waits is an error (unavailable).
  Result<std::optional<std::string>> read_line(bool (*interrupted)() = nullptr);
  /// All that is left of its standard output.
  Result<std::string> read_all();
  bool running();
  /// Waits for its end and gives the exit code (128 + the signal if one ended it).
  int wait();
  /// SIGTERM, patience, SIGKILL; gives the exit code.
  int end();

 private:
  Child(int pid, int output) : pid_(pid), output_(output) {}
  int pid_ = -1;
  int output_ = -1;
  int status_ = 0;
  std::string pending_;
};

/// Runs a command to its end; its standard output, or an error with what it said on standard error.
Result<std::string> run_command(const std::vector<std::string>& command,
                                const Child::Options& options);

}  // namespace mizan::cli
