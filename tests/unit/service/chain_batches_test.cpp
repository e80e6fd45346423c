// The chain desk at a chain in this process: what goes in one transaction, and what is brought
// again.
#include "service/chain_market.hpp"
#include "service/small_chain.hpp"

namespace mizan::service {
namespace {

using test::Sent;

constexpr uint64_t kBlockMs = 2'000;

exchange::ChainSettlement small_settlement(uint64_t depth) {
  Address contract;
  contract.bytes[0] = 0xcc;
  return {31337, contract, contract, 6, 86'400, depth, {1, keccak256("first"), 1'800'000'000}};
}

/// What an exchange, its node and its outbox stand on.
struct SmallParts {
  std::optional<SmallChain> chain;
  settlement::Node node{
      settlement::JsonRpc("the node", [this](const std::string& body) { return (*chain)(body); },
                          {.attempts = 1}),
      31337};
  std::unique_ptr<journal::Journal> outbox = journal::make_memory_journal(keccak256("outbox"));
  const SecretKey gas = SecretKey::generate();
  const ChainParts parts{node, *outbox, gas};
};

struct Settled : SmallParts, ChainMarket {
  explicit Settled(uint64_t depth = 1) : ChainMarket(small_settlement(depth), parts) {
    chain.emplace(small_settlement(depth), world.operator_key.address(),
                  world.keys.clearance.address());
    const auto deposit = [](const SecretKey& owner) {
      return Sent{Sent::Kind::deposit, owner.address(), 1'000'000, {}};
    };
    blocks(static_cast<int>(depth) + 2, {deposit(world.buyer), deposit(other)});
    list();
  }
  using ChainMarket::lease;
  LeaseId lease(uint64_t nonce) { return lease(nonce, world.buyer); }
  void blocks(int count, const std::vector<Sent>& parties = {}) {
    for (int i = 0; i < count; ++i) {
      world.clock.pass(kBlockMs);
      chain->mine(world.clock.now().seconds(), i == 0 ? parties : std::vector<Sent>{});
      turns();
    }
  }
  /// Time goes by, and no block takes what was sent.
  void empty_blocks(uint64_t ms) {
    world.clock.pass(ms);
    for (int i = 0; i < 2; ++i) chain->mine(world.clock.now().seconds() + i, {}, true);
    turns();
  }
  /// One that waits until one of four that were sent before it is in a block.
  LeaseId behind_four() {
    for (uint64_t nonce = 1; nonce <= 4; ++nonce) {
      (void)lease(nonce);
      turns();
    }
    const LeaseId id = lease(5);
    turns();
    EXPECT_EQ(chain->waiting(), 4U);
    return id;
  }
  Sent withdraws(const SecretKey& owner) const {
    return {Sent::Kind::withdraw, owner.address(), chain->contract().balance(owner.address()), {}};
  }
  void stop(const LeaseId& id, uint64_t nonce, uint64_t seconds) {
    const eip712::RequestClose request{id, nonce, world.clock.now().seconds() + seconds, 0};
    EXPECT_EQ(world
                  .post("/v1/leases/" + hex0x(id.view()) + "/request-close",
                        json::object{{"request", to_json(request)},
                                     {"signature", world.signature(request, world.buyer)}})
                  .status,
              200U);
  }
};

TEST(ChainBatches, ABurstOpensAndClosesInFewTransactions) {
  Settled on;
  const std::vector<LeaseId> leases = on.leases(30);
  on.turns();
  EXPECT_EQ(on.chain->waiting(), 2U);  // of 20 and of 10
  on.blocks(2);
  for (const LeaseId& id : leases) ASSERT_EQ(on.state(id), "funded");
  on.run(leases);
  on.turns();
  EXPECT_EQ(on.chain->waiting(), 2U);
  on.blocks(2);
  EXPECT_EQ(on.chain->mined(), 4U);
  for (const LeaseId& id : leases) EXPECT_EQ(on.told(id, on.world.buyer).at("charged"), "4000");
}

TEST(ChainBatches, WhatComesOneByOneWaitsForTheBlockOnceAFewWaitForIt) {
  Settled on;
  std::vector<LeaseId> leases;
  for (uint64_t nonce = 1; nonce <= 30; ++nonce) {
    leases.push_back(on.lease(nonce));
    on.turns();
  }
  EXPECT_EQ(on.chain->waiting(), 5U);  // four alone, and a full batch
  on.blocks(4);
  EXPECT_EQ(on.chain->mined(), 6U);
  for (const LeaseId& id : leases) EXPECT_EQ(on.state(id), "funded");
}

TEST(ChainBatches, OneThatCanNotOpenIsLeftOutAndEndsWithItsReason) {
  Settled on;
  const std::vector<LeaseId> leases = on.leases(3);
  const LeaseId unpaid = on.lease(1, on.other);
  on.world.clock.pass(kBlockMs);
  on.chain->mine(on.world.clock.now().seconds(), {on.withdraws(on.other)});
  on.turns();
  EXPECT_EQ(on.chain->waiting(), 1U);
  EXPECT_EQ(on.told(unpaid, on.other).at("reason"), "insufficient_balance");
  on.blocks(2);
  EXPECT_EQ(on.chain->mined(), 1U);
  for (const LeaseId& id : leases) EXPECT_EQ(on.state(id), "funded");
}

TEST(ChainBatches, OneThatIsSkippedEndsWithItsClearanceAndItsReason) {
  Settled on;
  const std::vector<LeaseId> leases = on.leases(3);
  const LeaseId unpaid = on.lease(1, on.other);
  on.turns();
  on.blocks(1, {on.withdraws(on.other)});  // before the batch, in its block
  on.blocks(20);
  EXPECT_EQ(on.chain->mined(), 1U);
  for (const LeaseId& id : leases) EXPECT_EQ(on.state(id), "funded");
  EXPECT_EQ(on.told(unpaid, on.other).at("state"), "opening");  // whoever has seen it may open it
  on.blocks(15);
  EXPECT_EQ(on.told(unpaid, on.other).at("state"), "failed");
  EXPECT_EQ(on.told(unpaid, on.other).at("reason"), "insufficient_balance");
}

TEST(ChainBatches, OneThatWasSkippedOpensAloneIfItCan) {
  Settled on;
  const LeaseId mine = on.lease(1);
  const LeaseId late = on.lease(1, on.other);
  on.turns();
  const Sent out = on.withdraws(on.other);
  on.blocks(1, {out});
  on.blocks(1, {{Sent::Kind::deposit, on.other.address(), out.amount, {}}});
  on.blocks(4);
  EXPECT_EQ(on.state(mine), "funded");
  EXPECT_EQ(on.told(late, on.other).at("state"), "funded");
  EXPECT_EQ(on.chain->mined(), 2U);
}

TEST(ChainBatches, ThoseThatWereSkippedAreNoBatchAgain) {
  Settled on;
  const LeaseId mine = on.lease(1);
  const std::vector<LeaseId> skipped{on.lease(1, on.other), on.lease(2, on.other)};
  on.turns();
  const Sent out = on.withdraws(on.other);
  on.blocks(1, {out});
  on.blocks(1, {{Sent::Kind::deposit, on.other.address(), out.amount, {}}});
  on.blocks(4);
  EXPECT_EQ(on.state(mine), "funded");
  for (const LeaseId& id : skipped) EXPECT_EQ(on.told(id, on.other).at("state"), "funded");
  EXPECT_EQ(on.chain->mined(), 3U);
}

TEST(ChainBatches, AClearanceThatIsNearlyOverGoesAlone) {
  Settled on;
  (void)on.behind_four();
  on.empty_blocks(20'000);
  EXPECT_EQ(on.chain->waiting(), 4U);
  on.empty_blocks(15'000);
  EXPECT_EQ(on.chain->waiting(), 5U);
}

TEST(ChainBatches, TheirClearanceEndsWithTheFirstOfTheirs) {
  Settled on;
  on.bids_last_s = 600;
  const LeaseId first = on.behind_four();
  on.empty_blocks(20'000);
  const LeaseId second = on.lease(6);
  on.blocks(1);
  ASSERT_EQ(on.chain->waiting(), 1U) << "both in one";
  on.world.clock.pass(42'000);  // the first one's is over, the second one's is not
  on.blocks(4);
  EXPECT_EQ(on.chain->contract().find(first), nullptr);
  EXPECT_NE(on.chain->contract().find(second), nullptr);
}

TEST(ChainBatches, AreSentOnceOverCrashes) {
  Settled on;
  const std::vector<LeaseId> leases = on.leases(5);
  on.turns();
  on.world.restart();
  on.turns();
  EXPECT_EQ(on.chain->waiting(), 1U);
  on.blocks(1);
  on.world.restart();
  on.blocks(3);
  EXPECT_EQ(on.chain->mined(), 1U);
  for (const LeaseId& id : leases) EXPECT_EQ(on.state(id), "funded");
}

TEST(ChainBatches, OpenAgainAfterATurn) {
  Settled on;
  const std::vector<LeaseId> leases = on.leases(5);
  on.turns();
  on.blocks(3);
  for (const LeaseId& id : leases) ASSERT_EQ(on.state(id), "funded");
  on.chain->turn_back(3);
  on.blocks(8);
  for (const LeaseId& id : leases) EXPECT_NE(on.chain->contract().find(id), nullptr);
}

Sent a_strangers(Sent::Kind kind, const LeaseId& lease) {
  Sent out;
  out.kind = kind;
  out.lease = lease;
  return out;
}

TEST(ChainBatches, OneThatAStrangerOpensAfterATurnSpoilsNoOther) {
  Settled on;
  const eip712::Bid bid = on.world.bid(1);
  const std::vector<LeaseId> leases = on.leases(5);
  on.turns();
  on.blocks(3);
  for (const LeaseId& id : leases) ASSERT_EQ(on.state(id), "funded");
  const auto terms =
      from_json<eip712::Terms>(on.told(leases[0], on.world.buyer).at("terms"), "terms").value();
  on.chain->turn_back(3);
  Sent opens = a_strangers(Sent::Kind::open, leases[0]);
  opens.terms = terms;
  opens.bid = bid;
  opens.good_until = UINT64_MAX;
  on.blocks(1, {opens});
  on.blocks(8);
  for (const LeaseId& id : leases) {
    EXPECT_NE(on.chain->contract().find(id), nullptr);
    EXPECT_EQ(on.state(id), "funded");
  }
}

TEST(ChainBatches, WhatComesTooLateEndsUnopened) {
  Settled on;
  const std::vector<LeaseId> leases = on.leases(5);
  on.turns();
  ASSERT_EQ(on.chain->waiting(), 1U);
  on.world.pass(80'000);  // no block takes it before its clearances are over
  on.blocks(6);
  for (const LeaseId& id : leases) {
    EXPECT_EQ(on.chain->contract().find(id), nullptr);
    EXPECT_EQ(on.told(id, on.world.buyer).at("state"), "failed");
    EXPECT_EQ(on.told(id, on.world.buyer).at("reason"), "not_opened");
  }
  EXPECT_EQ(on.chain->waiting(), 0U);
}

TEST(ChainBatches, WhatIsShortOfTimeByTheNewestBlockTakesNoOtherWithIt) {
  Settled on(4);
  const std::vector<LeaseId> old = {on.lease(1), on.lease(2)};
  on.world.pass(40'000);  // the node is away
  on.says_phase({}, 0, 0);
  const std::vector<LeaseId> fresh = {on.lease(3), on.lease(4)};
  on.chain->mine(on.world.clock.now().seconds());
  on.turns();
  EXPECT_EQ(on.chain->waiting(), 3U);  // two alone, two together
  on.world.pass(24'000);
  on.blocks(6);
  for (const LeaseId& id : old) EXPECT_EQ(on.told(id, on.world.buyer).at("state"), "failed");
  for (const LeaseId& id : fresh) EXPECT_EQ(on.state(id), "funded");
}

TEST(ChainBatches, WhatItsBuyerStoppedAtTheContractClosesWithTheOthers) {
  Settled on;
  const std::vector<LeaseId> leases = on.leases(5);
  on.turns();
  on.blocks(2);
  on.run(leases);
  on.turns();
  ASSERT_EQ(on.chain->waiting(), 1U);
  on.blocks(1, {a_strangers(Sent::Kind::stop, leases[2])});
  on.blocks(3);
  for (const LeaseId& id : leases) {
    EXPECT_TRUE(on.chain->contract().find(id)->closed);
    EXPECT_EQ(on.told(id, on.world.buyer).at("state"), "settled");
  }
}

TEST(ChainBatches, WhatWasClosedByOthersOrTurnedAwayIsClosedOnce) {
  Settled on;
  const std::vector<LeaseId> leases = on.leases(5);
  on.turns();
  on.blocks(2);
  on.run(leases);
  on.turns();
  ASSERT_EQ(on.chain->waiting(), 1U);
  on.blocks(1, {a_strangers(Sent::Kind::close, leases[1])});
  on.blocks(3);
  on.chain->turn_back(4);
  on.world.restart();
  on.blocks(10);
  for (const LeaseId& id : leases) {
    EXPECT_TRUE(on.chain->contract().find(id)->closed);
    EXPECT_EQ(on.told(id, on.world.buyer).at("state"), "settled");
    EXPECT_EQ(on.told(id, on.world.buyer).at("charged"), "4000");
  }
}

TEST(ChainDesk, ANewerStopTakesThePlaceOfOneThatTheContractRefused) {
  Settled on;
  const LeaseId id = on.lease(1);
  on.turns();
  on.blocks(2);
  on.stop(id, 1, 4);
  on.turns();
  EXPECT_EQ(on.chain->waiting(), 1U);
  on.world.clock.pass(6'000);  // no block comes in time
  on.stop(id, 2, 600);
  on.turns();
  EXPECT_EQ(on.chain->waiting(), 1U);  // one at a time
  on.blocks(1);
  EXPECT_EQ(on.chain->contract().find(id)->stop, 0U);
  on.blocks(3);
  EXPECT_NE(on.chain->contract().find(id)->stop, 0U);
  EXPECT_EQ(on.chain->mined(), 3U);
}

TEST(ChainDesk, ClaimsOfALostProviderAgainAfterATurn) {
  Settled on;
  const LeaseId id = on.lease(1);
  on.turns();
  on.blocks(2);
  on.says_phase({id}, 2, 0);
  on.blocks(2);
  on.says_phase({id}, 2, 4'000);
  for (int i = 0; i < 20; ++i) {  // its agent is gone
    on.world.pass(kBlockMs);
    on.blocks(1);
  }
  ASSERT_EQ(on.told(id, on.world.buyer).at("reason"), "provider_lost");
  ASSERT_NE(on.chain->contract().find(id)->claimed, 0U);
  size_t back = 0;
  for (; on.chain->contract().find(id)->claimed != 0; ++back) on.chain->turn_back(1);
  ASSERT_LT(back, 20U);
  on.blocks(static_cast<int>(back) + 12);
  EXPECT_NE(on.chain->contract().find(id)->claimed, 0U);
}

}  // namespace
}  // namespace mizan::service
