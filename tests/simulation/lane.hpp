// A lane: work that may stop in its midst for the world to go on, and goes on when it is told to.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace mizan::simulation {

/// A thread that runs only while `run` or `resume` waits for it: of the two one runs at a time.
class Lane {
 public:
  Lane() : thread_([this] { serve(); }) {}
  /// The work has ended.
  ~Lane() {
    hand_over(Turn::ends);
    thread_.join();
  }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  /// Until it ends or pauses.
  void run(std::function<void()> work) {
    work_ = std::move(work);
    resume();
  }
  void resume() {
    hand_over(Turn::lane);
    wait_for([this] { return turn_ == Turn::world; });
  }
  /// Whether it paused and has not ended.
  bool is_amid() const { return amid_; }
  /// In the work alone.
  void pause() {
    hand_over(Turn::world);
    wait_for([this] { return turn_ != Turn::world; });
  }

 private:
  enum class Turn { world, lane, ends };

  void serve() {
    for (;;) {
      wait_for([this] { return turn_ != Turn::world; });
      if (turn_ == Turn::ends) return;
      amid_ = true;
      work_();
      amid_ = false;
      hand_over(Turn::world);
    }
  }
  void hand_over(Turn turn) {
    {
      const std::lock_guard lock(mutex_);
      turn_ = turn;
    }
    changed_.notify_all();
  }
  template <class Holds>
  void wait_for(const Holds& holds) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, holds);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Turn turn_ = Turn::world;
  bool amid_ = false;
  std::function<void()> work_;
  std::thread thread_;  ///< the last member: it begins at once
};

}  // namespace mizan::simulation
