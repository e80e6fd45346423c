#include "service/time_keeper.hpp"

#include <algorithm>
#include <utility>

namespace mizan::service {

TimeKeeper::TimeKeeper(const Clock& clock, UnixMs not_before)
    : clock_(clock), time_(std::max(clock.now(), not_before)), seen_(clock.monotonic()) {}

UnixMs TimeKeeper::now() {
  const std::lock_guard lock(mutex_);
  const UnixMs wall = clock_.now();
  const MonotonicMs monotonic = clock_.monotonic();
  const uint64_t elapsed = monotonic.ms > seen_.ms ? monotonic.ms - seen_.ms : 0;
  seen_ = std::max(seen_, monotonic);
  const uint64_t expected = time_.ms + elapsed;
  if (wall.ms > expected && wall.ms - expected > kLeapMs) {
    // Nothing takes back what falls due in a leap, and no step back of the clock would be followed.
    if (astray_ms_ == 0) jump_ = static_cast<int64_t>(wall.ms - expected);
    astray_ms_ = wall.ms - expected;
    behind_ = false;
    half_ = 0;
    time_.ms = expected;
    return time_;
  }
  astray_ms_ = 0;
  if (wall >= time_) {
    // Also while it was behind: catching up goes slower than time, a jump does not.
    if (wall.ms > expected + kJumpMs) jump_ = static_cast<int64_t>(wall.ms - expected);
    behind_ = false;
    half_ = 0;
    time_ = wall;
    return time_;
  }
  if (!behind_ && expected - wall.ms > kJumpMs) jump_ = -static_cast<int64_t>(expected - wall.ms);
  behind_ = true;
  half_ += elapsed;
  time_.ms += half_ / 2;
  half_ %= 2;
  return time_;
}

std::optional<int64_t> TimeKeeper::take_jump() {
  const std::lock_guard lock(mutex_);
  return std::exchange(jump_, std::nullopt);
}

uint64_t TimeKeeper::astray_ms() {
  const std::lock_guard lock(mutex_);
  return astray_ms_;
}

}  // namespace mizan::service
