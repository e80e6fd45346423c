// A market on a chain with an ask, and a lease of it at each of its steps.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/chain_world.hpp"

namespace mizan::exchange {

using test::ChainWorld;
using test::party;

class ChainTest : public ::testing::Test {
 public:
  static constexpr uint8_t kBuyer = 1;
  static constexpr uint8_t kProvider = 2;
  static constexpr uint8_t kOther = 3;

 protected:
  ChainTest() {
    w.deposits(party(kBuyer), 1'000'000);
    ask = w.ok(w.ask(kProvider, 10)).order;
  }
  ~ChainTest() override { w.check(); }
  LeaseId matched(uint64_t most_seconds = 100) {
    const Answer answer = w.ok(w.bid(kBuyer, 20, 1, 1, most_seconds));
    EXPECT_EQ(answer.leases.size(), 1u);
    return answer.leases.empty() ? LeaseId{} : answer.leases.front();
  }
  LeaseId opening(uint64_t most_seconds = 100) {
    const LeaseId id = matched(most_seconds);
    w.accept(id);
    return id;
  }
  LeaseId running(uint64_t most_seconds = 100) {
    const LeaseId id = opening(most_seconds);
    w.wait_ms(2000);
    w.opens(id);
    w.wait_ms(10'000);
    w.beat(id, 2, 0, 10'000);
    return id;
  }
  /// Its bill is signed: 10 s, 100 nano-USD.
  LeaseId settling() {
    const LeaseId id = running();
    w.beat(id, 4, 0, 10'000);
    w.ok(Close{{id, 99}, {}});
    w.finalize(id);
    return id;
  }
  LeaseState state(const LeaseId& id) const { return w.lease(id).state; }
  ChainWorld w;
  OrderId ask;
};

}  // namespace mizan::exchange
