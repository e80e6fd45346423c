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

}  // namespace mizan::service
