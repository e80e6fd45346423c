// JobWatch: notices that a job's log has grown or that it has exited, without asking again and
// again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "sandbox/unique_fd.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace mizan::provider {

/// One thread over inotify and the jobs' exit notices. `log_grew` is called once, then not again
/// until rearm(); `exited` once. Both come on the watch's thread and must not wait.
class JobWatch {
 public:
  using Tell = std::function<void(const LeaseId&)>;
  static Result<std::unique_ptr<JobWatch>> start(Tell log_grew, Tell exited);
  ~JobWatch();

  /// The file must be there.
  Result<void> watch_log(const LeaseId& lease, const std::filesystem::path& log);
  Result<void> watch_exit(const LeaseId& lease, sandbox::UniqueFd notice);
  /// Before the log is read: what is written after this is told again.
  void rearm(const LeaseId& lease);
  void forget(const LeaseId& lease);
  /// Ends the thread: nothing is told any more.
  void stop();

 private:
  struct Watched {
    int log = -1;  ///< inotify's number
    bool told = false;
    sandbox::UniqueFd notice;
  };
  JobWatch() = default;
  void run();
  void read_inotify();
  void exit_seen(int fd);

  Tell log_grew_;
  Tell exited_;
  sandbox::UniqueFd epoll_;
  sandbox::UniqueFd inotify_;
  sandbox::UniqueFd stop_;
  std::mutex mutex_;
  std::map<LeaseId, Watched> leases_;
  std::map<int, LeaseId> by_log_;
  std::map<int, LeaseId> by_notice_;
  std::thread thread_;
};

}  // namespace mizan::provider
