// The chain in a simulated world: a contract in blocks that come, turn and go away, and what of the
// service stands between it and the exchange.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "simulation/exchange_host.hpp"
#include "support/plain_contract.hpp"

#include <set>

namespace mizan::simulation {

/// Blocks every few seconds, of transactions that wait. It tells the exchange what stands deep
/// enough, takes back what has turned, and sends what the exchange wants of it; it keeps nothing
/// of that but what the exchange's own state says, as the service does.
class ChainHost {
 public:
  ChainHost(Surroundings& world, ExchangeHost& exchange);

  void begin();
  void deposit(const Address& owner, uint64_t amount);
  /// A party does at the contract what it likes: takes its money out, ends its leases.
  void meddle(const Address& owner);
  /// Nothing is wanted of it any more, and it has told all.
  bool at_rest() const;
  /// What the exchange believes is what the contract did: balances, each lease's amounts.
  void finish(const std::vector<Address>& parties);

 private:
  using Block = test::PlainBlock;
  const exchange::Exchange* core() const;
  void mine();
  void turn();
  void serve();
  void follow(const exchange::Exchange& core);
  void bring(const exchange::Exchange& core);
  void bring_end(const exchange::Lease& lease);
  void tell(exchange::Command command);
  void send(const test::Sent& sent);
  void compare(const exchange::Exchange& core, const Block& block);
  const Block* find(const ledger::Place& place) const;

  Surroundings& world_;
  ExchangeHost& exchange_;
  Random random_;
  const exchange::ChainSettlement chain_;
  std::vector<Block> blocks_;
  std::vector<test::Sent> waiting_;
  std::map<std::pair<int, LeaseId>, uint64_t> again_at_ms_;  ///< what was sent, and not yet again
  std::set<LeaseId> never_sent_;  ///< openings that the exchange was told of as refused
  std::map<LeaseId, uint32_t> sent_;
  uint64_t block_ms_ = 0;
  uint64_t away_until_ms_ = 0;
  uint64_t told_until_ms_ = 0;  ///< an answer is awaited, no longer than this
  uint64_t made_ = 0;
};

}  // namespace mizan::simulation
