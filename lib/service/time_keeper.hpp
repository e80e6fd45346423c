// The exchange's time: the machine's clock, held so that it never goes back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.hpp"

#include <mutex>
#include <optional>

namespace mizan::service {

/// Follows the wall clock while that goes forward. When the wall clock steps back, time goes on at
/// half the speed of the monotonic clock until the wall has caught up: it never decreases and never
/// stands still, so deadlines still fall due. A leap ahead of more than kLeapMs is not followed:
/// time goes on by the monotonic clock (which counts sleep) until the wall is near again, or until
/// a new start, which is the operator's word that the wall is right. Safe from many threads.
class TimeKeeper {
 public:
  static constexpr uint64_t kJumpMs = 2000;       ///< a step that is told
  static constexpr uint64_t kLeapMs = 3'600'000;  ///< one ahead that is not followed

  /// Time starts no earlier than `not_before`, the journal's last.
  TimeKeeper(const Clock& clock, UnixMs not_before);

  UnixMs now();
  /// A step of the wall clock against the monotonic one since this was last asked: positive ahead,
  /// negative back.
  std::optional<int64_t> take_jump();
  /// By how much the wall clock was ahead when it was last looked at, where it is not followed.
  uint64_t astray_ms();

 private:
  const Clock& clock_;
  std::mutex mutex_;
  UnixMs time_;
  MonotonicMs seen_;
  uint64_t half_ = 0;    ///< 1 when half a millisecond is still owed
  bool behind_ = false;  ///< the wall is behind
  uint64_t astray_ms_ = 0;
  std::optional<int64_t> jump_;
};

}  // namespace mizan::service
