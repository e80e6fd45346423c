// Virtual time: what happens next in a simulated world.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace mizan::simulation {

/// Events in the order of their time, and of their making where that is equal. One thread.
class Scheduler {
 public:
  using What = std::function<void()>;

  uint64_t now_ms() const { return now_ms_; }
  uint64_t steps() const { return steps_; }

  void after(uint64_t ms, What what) {
    events_.push_back({now_ms_ + ms, made_++, std::move(what)});
    std::push_heap(events_.begin(), events_.end(), later);
  }
  /// Lets the next event happen. False if there is none.
  bool step() {
    if (events_.empty()) return false;
    std::pop_heap(events_.begin(), events_.end(), later);
    Event event = std::move(events_.back());
    events_.pop_back();
    now_ms_ = event.at_ms;
    ++steps_;
    event.what();
    return true;
  }

 private:
  struct Event {
    uint64_t at_ms;
    uint64_t number;
    What what;
  };
  static bool later(const Event& a, const Event& b) {
    return a.at_ms != b.at_ms ? a.at_ms > b.at_ms : a.number > b.number;
  }

  uint64_t now_ms_ = 0;
  uint64_t steps_ = 0;
  uint64_t made_ = 0;
  std::vector<Event> events_;  ///< a heap
};

}  // namespace mizan::simulation
