// A job before a person's eyes: its log, a status line with progress, and how it ended.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/money.hpp"
#include "mizan/follow.hpp"
#include "mizan/terminal.hpp"

#include <chrono>
#include <optional>

namespace mizan::cli {

/// What a line like "step=120/400 loss=1.83" says of how far a job is.
struct JobProgress {
  uint64_t done = 0;
  uint64_t total = 0;
  std::optional<double> loss{};
};
std::optional<JobProgress> read_progress(const std::string& line);

/// Puts the job's standard output and error on ours (both on standard error with --json, whose
/// standard output is for one JSON value), and Mizan's own words on standard error.
class JobWatcher {
 public:
  JobWatcher(const Context& context, std::string name);

  FollowEvents events();
  StatusLine& status() { return status_; }
  /// Mizan's own word, on standard error, above the status line.
  void say(const std::string& text);

 private:
  void show(const LogRecord& record);
  void show_state(const json::value& lease);
  void redraw();

  const Context& context_;
  std::string name_;
  Terminal out_;
  Terminal err_;
  StatusLine status_;
  LogFilter out_filter_;
  LogFilter err_filter_;
  std::string state_;
  std::string opening_;  ///< how far that is
  Rate rate_;
  uint64_t units_ = 0;
  std::optional<JobProgress> progress_;
  std::optional<std::chrono::steady_clock::time_point> running_since_;
};

/// How far the chain is with the opening of a lease.
std::string describe_opening(const json::value& lease);

/// "completed", "failed: provider_lost", ... with exit code, time and money, in a few lines.
std::string describe_end(const Terminal& terminal, const json::value& lease);

/// What a finished job makes of our own exit code: the job's, or 1 if it has none.
int exit_code_of(const json::value& lease);

}  // namespace mizan::cli
