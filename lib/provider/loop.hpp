// Loop: the one thread on which an agent's world happens.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace mizan::provider {

class Loop {
 public:
  using Task = std::function<void()>;
  /// Safe from every thread.
  void post(Task task);
  /// Makes run() return after the task that runs now.
  void stop();
  /// Runs tasks as they come; when `due_in` (asked after each) has passed without one, `on_due`.
  void run(const std::function<std::chrono::milliseconds()>& due_in, const Task& on_due);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
};

}  // namespace mizan::provider
