// The parties at the contract of a simulated world, and who holds the exchange against it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "simulation/exchange_host.hpp"

namespace mizan::simulation {

/// What the exchange does at the contract, its own chain desk does (DeskHost).
class ChainHost {
 public:
  ChainHost(Surroundings& world, ExchangeHost& exchange);

  void begin() { chain_.begin(); }
  void deposit(const Address& owner, uint64_t amount);
  /// A party does at the contract what it likes: takes its money out, ends its leases.
  void meddle(const Address& owner);
  /// Nothing is wanted of it any more, and it has told all.
  bool at_rest() const;
  /// What the exchange believes is what the contract did: balances, each lease's amounts.
  void finish(const std::vector<Address>& parties);

 private:
  const exchange::Exchange* core() const;
  void compare(const exchange::Exchange& core, const ChainBlock& block);

  Surroundings& world_;
  ExchangeHost& exchange_;
  Random random_;
  BlockChain& chain_;
  ledger::Place compared_;  ///< behind which block, last
};

}  // namespace mizan::simulation
