// A CoreWorld whose exchange settles on a chain, and what the chain tells it. The token has nine
// decimals, so that its units are nano-USD.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/core_world.hpp"

namespace mizan::test {

namespace chain = exchange::chain;

inline exchange::Genesis chain_genesis() {
  exchange::Genesis genesis;
  genesis.chain = {31337, party(240), party(241), 9, 86'400, 2, {100, keccak256("first"), 1000}};
  return genesis;
}

class ChainWorld : public CoreWorld {
 public:
  explicit ChainWorld(exchange::Genesis genesis = chain_genesis())
      : CoreWorld(100, {}, {}, std::move(genesis)) {}

  const ledger::Mirror& mirror() const { return *core.chain(); }
  /// The block after the last one, by the exchange's own clock.
  exchange::ChainSeen block(std::vector<exchange::ChainFact> facts) {
    const uint64_t number = mirror().last().number + 1;
    // A block in the place of one that is gone is another one.
    const Hash32 hash = keccak256("block " + std::to_string(number) + "/" + std::to_string(++made));
    return {{number, hash, seconds()}, std::move(facts)};
  }
  void sees(std::vector<exchange::ChainFact> facts = {}) { ok(block(std::move(facts))); }
  void opens(const LeaseId& id) { sees({chain::Opened{id, lease(id).escrow, seconds()}}); }
  void deposits(const Address& owner, u128 amount) { sees({chain::Deposited{owner, amount}}); }
  /// The last `count` blocks are gone.
  void turns(size_t count) {
    std::vector<ledger::Place> places{mirror().base()};
    for (const ledger::Place& place : mirror().places()) places.push_back(place);
    ok(exchange::ChainTakenBack{places.at(places.size() - 1 - count)});
  }
  Money balance(uint8_t n) const { return core.account(party(n)).balance; }
  Money escrowed(uint8_t n) const { return core.account(party(n)).escrowed; }

  /// That the journal and a snapshot give this very state.
  void check() const {
    EXPECT_EQ(replayed().state_hash(), core.state_hash());
    const auto restored = exchange::Exchange::restore(core.encode(), rule_sets);
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(restored->encode(), core.encode());
    for (auto list : {&exchange::Exchange::opening, &exchange::Exchange::settling,
                      &exchange::Exchange::closing, &exchange::Exchange::stopping}) {
      std::vector<LeaseId> here;
      std::vector<LeaseId> there;
      for (const exchange::Lease* one : (core.*list)()) here.push_back(one->id);
      for (const exchange::Lease* one : (*restored.*list)()) there.push_back(one->id);
      EXPECT_EQ(here, there);
    }
  }
  uint64_t made = 0;
};

}  // namespace mizan::test
