// Randomness of a simulated world: the same numbers from the same seed, on every machine.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace mizan::simulation {

/// SplitMix64. The standard library's distributions differ between libraries; these do not.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// Below `n`; 0 for 0.
  uint64_t below(uint64_t n) { return n == 0 ? 0 : next() % n; }
  /// From `least` to `most`, both included.
  uint64_t between(uint64_t least, uint64_t most) { return least + below(most - least + 1); }
  bool chance(uint64_t of_10_000) { return below(10'000) < of_10_000; }

  /// Another stream, so that what one part draws leaves the others' numbers alone.
  Random fork(std::string_view name) const {
    uint64_t mixed = state_;
    for (const char c : name) mixed = (mixed ^ static_cast<uint8_t>(c)) * 0x100000001b3;
    return Random(mixed);
  }

 private:
  uint64_t state_;
};

}  // namespace mizan::simulation
