// What all parts of a simulated world share: time, chance, faults, and the list of what is wrong.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "crypto/hash.hpp"
#include "crypto/key.hpp"
#include "simulation/faults.hpp"
#include "simulation/scheduler.hpp"
#include "simulation/troubles.hpp"

#include <set>
#include <string>
#include <vector>

namespace mizan::simulation {

inline constexpr uint64_t kEpochMs = 1'800'000'000'000;

/// What people asked for: a lease that ends so must have been asked to.
struct Wishes {
  std::set<LeaseId> stops;
  std::set<std::pair<Address, uint64_t>> cancels;  ///< bids, by their nonces
};

struct Surroundings {
  explicit Surroundings(uint64_t seed_)
      : seed(seed_), random(seed_), faults(random.fork("faults")) {}

  const uint64_t seed;
  Scheduler scheduler;
  Random random;
  Faults faults;
  Troubles troubles;
  Wishes wishes;
  std::vector<std::string> wrong;  ///< empty in a world that is as it should be
  bool talks = false;              ///< tells what happens, for whoever looks into a failure

  /// A party, or everybody, is kept from the exchange from now on for so long.
  void trouble(size_t place, uint64_t for_ms) {
    troubles.note(place, scheduler.now_ms(), scheduler.now_ms() + for_ms);
  }
  /// Notes what should not be, with its time.
  void expect(bool holds, const std::string& otherwise) {
    if (!holds && wrong.size() < 10)
      wrong.push_back(std::to_string(scheduler.now_ms()) + " ms: " + otherwise);
  }
  void say(const std::string& who, const std::string& what) const;
  /// The same key from the same seed and name.
  SecretKey key(const std::string& name) const {
    const Hash32 secret = keccak256("simulated key " + std::to_string(seed) + " " + name);
    return SecretKey::from_bytes(secret.view()).value();
  }
};

/// One machine's clocks. The wall clock may be set; both run at a speed of their own.
class HostClock final : public Clock {
 public:
  explicit HostClock(const Scheduler& scheduler) : scheduler_(scheduler) {}
  UnixMs now() const override {
    return {kEpochMs + static_cast<uint64_t>(static_cast<int64_t>(local()) + wall_offset_ms)};
  }
  MonotonicMs monotonic() const override { return {local() - booted_at_ms_ + kUpMs}; }
  /// The machine starts again, and its monotonic clock with it.
  void reboot() { booted_at_ms_ = local(); }

  int64_t wall_offset_ms = 0;
  /// Too fast or too slow by so many millionths; never changed once time has begun.
  int64_t drift_ppm = 0;

 private:
  uint64_t local() const {
    const auto now = static_cast<int64_t>(scheduler_.now_ms());
    return static_cast<uint64_t>(now + now * drift_ppm / 1'000'000);
  }
  static constexpr uint64_t kUpMs = 20'000;  ///< what a machine takes to start
  const Scheduler& scheduler_;
  uint64_t booted_at_ms_ = 0;
};

}  // namespace mizan::simulation
