// Open loop: each request has a time at which it should be sent, and its latency counts from then,
// however late the one before it was answered.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace mizan::bench {

using Time = std::chrono::steady_clock;

/// What one rate of the ladder gave.
struct Rung {
  double offered = 0;   ///< requests a second
  double achieved = 0;  ///< answered a second, from the first intended start to the last answer
  size_t count = 0;
  double p50_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
  /// The system kept up: it answered at least 97 % of what was offered.
  bool sustained() const { return achieved >= 0.97 * offered; }
};

/// The intended starts of a rung, and the latencies from them. `answered` of different requests may
/// be called on different threads; everything else by one.
class OpenLoop {
 public:
  OpenLoop(double rate, double seconds)
      : rate_(rate), latencies_(static_cast<size_t>(rate * seconds)) {}

  size_t count() const { return latencies_.size(); }
  void begin() { start_ = Time::now(); }
  Time::time_point intended(size_t i) const {
    return start_ +
           std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(i) * 1e9 / rate_));
  }
  void answered(size_t i, Time::time_point at) {
    latencies_[i] = std::chrono::duration<float, std::micro>(at - intended(i)).count();
  }
  /// Sorts the latencies.
  Rung finish(Time::time_point last_answer);

 private:
  double rate_;
  Time::time_point start_{};
  std::vector<float> latencies_;  // us
};

/// A table of rungs, a line at once.
void print_head(const std::string& scope);
void print(const Rung& rung);

}  // namespace mizan::bench
