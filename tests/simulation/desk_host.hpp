// The chain desk's part of a simulated exchange: its outbox's storage, its node, its thread's time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "service/service.hpp"
#include "simulation/chain_node.hpp"
#include "simulation/lane.hpp"
#include "simulation/storage.hpp"

#include <optional>

namespace mizan::simulation {

/// Steps the real service::ChainDesk, with the outbox and the follower in it. The program may die
/// before and behind each of its requests, and amid each write of the outbox.
class DeskHost {
 public:
  DeskHost(Surroundings& world, const exchange::ChainSettlement& settlement,
           const Address& operator_, const Address& clearance_key);
  ~DeskHost();

  BlockChain& chain() { return chain_; }

  /// What a fresh start of the program stands on; `corrupted` where the outbox's journal is
  /// damaged, which is repaired then.
  Result<const service::ChainParts*> open();
  /// Steps the desk from time to time, from now on.
  void start(service::Service& service);
  /// Whether the program has died in the desk's hands.
  bool is_dead() const { return dead_ || outbox_.crashed(); }
  /// The program is gone. Before its service goes.
  void stop();
  /// What of the outbox's last write is there; see Storage::settle.
  void settle(bool power_lost) { outbox_.settle(power_lost); }

  /// Called after each turn of the desk: it may have died, or given the sequencer something.
  std::function<void()> after_turn;
  /// How long the whole process stands still from now on.
  std::function<uint64_t()> still_for_ms;

 private:
  bool dies();
  void later(uint64_t ms);
  void turn();

  Surroundings& world_;
  Random random_;
  const SecretKey gas_;
  BlockChain chain_;
  ChainNode answers_;
  settlement::Node node_;
  Storage outbox_;
  std::unique_ptr<journal::Journal> journal_;
  std::optional<service::ChainParts> parts_;
  service::ChainDesk* desk_ = nullptr;
  Lane lane_;
  bool more_ = false;
  uint64_t passes_ms_ = 0;  ///< what a request takes
  bool dead_ = false;
  uint64_t life_ = 0;
};

}  // namespace mizan::simulation
