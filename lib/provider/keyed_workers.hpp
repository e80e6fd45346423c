// KeyedWorkers: threads that run tasks in order for one lease, at once for different ones.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace mizan::provider {

/// Its end waits for the tasks that run and drops those that have not begun.
class KeyedWorkers {
 public:
  explicit KeyedWorkers(size_t threads);
  ~KeyedWorkers();
  /// Safe from every thread, a task's own included.
  void post(const LeaseId& key, std::function<void()> task);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<LeaseId, std::deque<std::function<void()>>> queues_;  ///< the front one may be running
  std::deque<LeaseId> ready_;  ///< keys whose front task nobody runs yet
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace mizan::provider
