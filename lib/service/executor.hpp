// Executor: where work that may take a while is done, on threads or in a simulation.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace mizan::service {

class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs `work` later, never from within the call. Safe from many threads.
  virtual void post(std::function<void()> work) = 0;
};

/// A few threads with one queue. What bounds it is who posts: a connection has one piece of work at
/// a time.
class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(size_t threads);
  ~ThreadPool() override;  ///< stop()
  void post(std::function<void()> work) override;
  /// Lets running work end, drops what waits, joins. Posting afterwards does nothing.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace mizan::service
