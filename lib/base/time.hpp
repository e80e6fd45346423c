// Points in time and the interface through which a program learns them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

namespace mizan {

/// Milliseconds since 1970-01-01T00:00:00Z, as sequenced commands carry it.
struct UnixMs {
  uint64_t ms = 0;
  friend auto operator<=>(const UnixMs&, const UnixMs&) = default;
  uint64_t seconds() const { return ms / 1000; }  ///< rounded down
};

/// Milliseconds of a monotonic clock with no agreed start: for durations only.
struct MonotonicMs {
  uint64_t ms = 0;
  friend auto operator<=>(const MonotonicMs&, const MonotonicMs&) = default;
};

/// Where the programs get time from; the simulation puts a virtual clock behind it. The pure rooms
/// take time as an argument and never see a Clock. Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual UnixMs now() const = 0;             ///< may jump, forwards and backwards
  virtual MonotonicMs monotonic() const = 0;  ///< never goes back; counts while suspended
};

/// The machine's own clocks (CLOCK_REALTIME and CLOCK_BOOTTIME). Lives as long as the process.
const Clock& system_clock();

}  // namespace mizan
