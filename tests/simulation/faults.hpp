// The faults of a simulated world: which are switched on, and how often each struck.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "simulation/random.hpp"

#include <array>
#include <string_view>

namespace mizan::simulation {

enum class Fault : uint8_t {
  // The network.
  delay,        ///< a message takes seconds
  reordering,   ///< a request overtakes another
  loss,         ///< a request or its answer is lost
  duplication,  ///< a request or message comes twice
  broken_link,  ///< a connection breaks; what was on its way is lost
  half_open,    ///< and only one side notices at once
  partition,    ///< a party and the exchange do not hear each other
  // The exchange and its storage.
  exchange_crash,   ///< the program is killed, at times in the midst of a write
  power_loss,       ///< its machine stops: what was not synced may be lost
  torn_write,       ///< of an unsynced group only a part is there
  reordered_write,  ///< of an unsynced group any sectors are there
  failed_sync,
  full_disk,
  bit_rot,
  exchange_pause,  ///< the process stands still
  // The providers' side.
  agent_crash,
  machine_crash,  ///< its jobs end, unsynced files are lost or damaged
  agent_disk,     ///< the agent's store refuses a write
  job_trouble,    ///< a job cannot be made ready, started, collected or stored
  // Clocks.
  clock_jump,
  clock_drift,
  torn_snapshot,  ///< the program dies amid a snapshot, or one does not read any more
  lying_agent,    ///< a provider tells more time than its jobs took (once an agent)
  // The chain, in a world that settles on one.
  chain_turn,    ///< up to eight blocks are gone, and what was in some of them
  chain_drop,    ///< a transaction is forgotten
  chain_away,    ///< the node does not answer
  chain_slow,    ///< no block for minutes
  chain_clock,   ///< a block's time is not that of the world
  chain_lost,    ///< the node did what it was asked, and its answer is lost
  chain_late,    ///< the node takes up to ten seconds, and longer than it is waited for
  chain_behind,  ///< the node is up to six blocks behind
  chain_range,   ///< it refuses many blocks' logs
  chain_fees,    ///< gas gets dear; the pool keeps a transaction beside its replacement
  chain_gas,     ///< the exchange's account has too little left for new leases
  count
};
inline constexpr size_t kFaults = static_cast<size_t>(Fault::count);
inline constexpr std::array<std::string_view, kFaults> kFaultNames = {
    "delay",           "reordering",    "loss",           "duplication", "broken_link",
    "half_open",       "partition",     "exchange_crash", "power_loss",  "torn_write",
    "reordered_write", "failed_sync",   "full_disk",      "bit_rot",     "exchange_pause",
    "agent_crash",     "machine_crash", "agent_disk",     "job_trouble", "clock_jump",
    "clock_drift",     "torn_snapshot", "lying_agent",    "chain_turn",  "chain_drop",
    "chain_away",      "chain_slow",    "chain_clock",    "chain_lost",  "chain_late",
    "chain_behind",    "chain_range",   "chain_fees",     "chain_gas"};
/// Those that came later are drawn from streams of their own: worlds without them are as they were.
inline constexpr size_t kFirstLater = static_cast<size_t>(Fault::torn_snapshot);
inline constexpr size_t kFirstOfChain = static_cast<size_t>(Fault::chain_turn);

class Faults {
 public:
  /// One world in eight is without any; the others have each fault with a chance of their own.
  explicit Faults(Random random) : random_(random) {
    if (random_.below(8) == 0) return;
    const uint64_t share = random_.between(500, 6'000);
    Random chain = random.fork("chain");
    Random later = random.fork("later");
    for (size_t i = 0; i < kFaults; ++i)
      on_[i] = (i < kFirstLater ? random_ : i < kFirstOfChain ? later : chain).chance(share);
  }

  bool on(Fault fault) const { return !calm_ && on_[index(fault)]; }
  /// True, and counted, if the fault is on and chance has it.
  bool strikes(Fault fault, uint64_t of_10_000) {
    if (!on(fault) || !random_.chance(of_10_000)) return false;
    note(fault);
    return true;
  }
  void note(Fault fault) { ++struck_[index(fault)]; }
  uint64_t struck(Fault fault) const { return struck_[index(fault)]; }
  bool any() const {
    for (const bool each : on_)
      if (each) return true;
    return false;
  }
  /// From now on nothing goes wrong.
  void calm() { calm_ = true; }
  bool is_calm() const { return calm_; }

 private:
  static size_t index(Fault fault) { return static_cast<size_t>(fault); }
  Random random_;
  std::array<bool, kFaults> on_{};
  std::array<uint64_t, kFaults> struck_{};
  bool calm_ = false;
};

}  // namespace mizan::simulation
