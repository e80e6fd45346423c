// Leases on a chain: stops, and who may end them there (docs/LEASE.md).
#include "unit/exchange/chain_fixture.hpp"

namespace mizan::exchange {
namespace {

TEST_F(ChainTest, TheBuyersStopOnTheChainStopsTheJob) {
  const LeaseId id = running();
  w.sees({chain::CloseRequested{id, w.seconds(), 850}});
  EXPECT_EQ(w.lease(id).stop_reason, "buyer_stopped");
  EXPECT_EQ(w.seen<StopRequested>().size(), 1u);
  EXPECT_EQ(w.balance(kBuyer).nano, 999'850u);
  w.turns(1);
  EXPECT_NE(w.lease(id).stopped_at.ms, 0u) << "the buyer's word stands";
  EXPECT_EQ(state(id), LeaseState::running);
  EXPECT_EQ(w.balance(kBuyer).nano, 999'000u);
}

TEST_F(ChainTest, TheBuyersStopAtTheHeadStopsTheJobBeforeItIsDeepEnough) {
  const LeaseId id = running();
  w.ok(StopSeen{id, w.seconds()});
  const UnixMs stopped = w.lease(id).stopped_at;
  EXPECT_EQ(stopped.seconds(), w.seconds());
  EXPECT_EQ(w.lease(id).stop_reason, "buyer_stopped");
  EXPECT_EQ(w.seen<StopRequested>().size(), 1u);
  EXPECT_EQ(w.balance(kBuyer).nano, 999'000u) << "money waits for depth";
  w.wait_ms(20'000);
  w.beat(id, 2, 0, 30'000);
  EXPECT_EQ(w.lease(id).covered_ms, 10'000u) << "nothing after it is billed";
  w.check();
  EXPECT_TRUE(w.ok(StopSeen{id, w.seconds()}).repeated);
  w.sees({chain::CloseRequested{id, stopped.seconds(), 850}});
  EXPECT_EQ(w.lease(id).stopped_at, stopped);
  EXPECT_EQ(w.seen<StopRequested>().size(), 1u);
  EXPECT_EQ(w.balance(kBuyer).nano, 999'850u);
}

TEST_F(ChainTest, AStopAtTheHeadThatTheChainTurnsAwayStands) {
  const LeaseId id = running();
  w.ok(StopSeen{id, w.seconds()});
  w.turns(1);  // the opening too
  w.opens(id);
  EXPECT_NE(w.lease(id).stopped_at.ms, 0u);
  w.beat(id, 4, 0, 10'000);
  w.ok(Close{{id, 99}, {}});
  w.finalize(id);
  w.sees({chain::Closed{id, 100, 1, 900}});
  EXPECT_EQ(state(id), LeaseState::settled);
  EXPECT_TRUE(w.ok(StopSeen{id, w.seconds()}).repeated);
}

TEST_F(ChainTest, AStopAtTheHeadOfWhatIsNotSeenOpenYet) {
  const LeaseId id = opening();
  w.ok(StopSeen{id, w.seconds()});
  EXPECT_EQ(state(id), LeaseState::opening);
  EXPECT_TRUE(w.seen<StopRequested>().empty());
  w.opens(id);
  EXPECT_EQ(w.seen<StopRequested>().size(), 1u);
}

TEST_F(ChainTest, AStopAtTheHeadOfWhatNeverOpensEndsItsBid) {
  const LeaseId id = matched();
  EXPECT_EQ(w.code(StopSeen{id, w.seconds()}), ErrorCode::conflict);
  EXPECT_EQ(w.code(StopSeen{}), ErrorCode::not_found);
  w.accept(id);
  w.ok(StopSeen{id, w.seconds()});
  w.tick(61'000);
  w.sees();
  EXPECT_EQ(state(id), LeaseState::failed);
  EXPECT_EQ(w.lease(id).reason, "buyer_stopped");
  EXPECT_EQ(w.balance(kBuyer).nano, 1'000'000u);
}

TEST_F(ChainTest, TheBuyersStopHereIsRelayed) {
  const LeaseId id = running();
  const RequestClose request{{id, 7, w.seconds() + 100, 5}, Signature{}};
  w.ok(request);
  ASSERT_EQ(w.seen<StopWanted>().size(), 1u);
  EXPECT_EQ(w.lease(id).request->nonce, 7u);
  EXPECT_EQ(w.core.stopping().size(), 1u);
  EXPECT_TRUE(w.ok(request).repeated);
  w.check();
  w.sees({chain::CloseRequested{id, w.seconds(), 850}});
  EXPECT_TRUE(w.core.stopping().empty());
  EXPECT_EQ(w.seen<StopWanted>().size(), 1u);
  EXPECT_EQ(w.seen<StopRequested>().size(), 1u);
}

/// The contract refuses a request whose deadline has passed: only another one helps.
TEST_F(ChainTest, ANewerStopTakesThePlaceOfOneThatTheContractHasNotHeard) {
  const LeaseId id = running();
  const auto request = [&](uint64_t nonce, uint64_t for_s) {
    return RequestClose{{id, nonce, w.seconds() + for_s, 0}, Signature{}};
  };
  w.ok(request(7, 10));
  w.ok(request(7, 50));
  EXPECT_EQ(w.lease(id).request->deadline, w.seconds() + 10) << "the same nonce says no more";
  w.ok(request(8, 10));
  EXPECT_EQ(w.lease(id).request->nonce, 7u) << "nor does one that ends as soon";
  w.wait_ms(20'000);
  w.ok(request(9, 10));
  EXPECT_EQ(w.lease(id).request->nonce, 9u);
  EXPECT_EQ(w.seen<StopWanted>().size(), 2u);
  EXPECT_EQ(w.seen<StopRequested>().size(), 1u);
  w.check();
  w.sees({chain::CloseRequested{id, w.seconds(), 850}});
  w.ok(request(10, 100));
  EXPECT_EQ(w.lease(id).request->nonce, 9u) << "the contract has heard it";
  EXPECT_TRUE(w.core.stopping().empty());
}

/// A provider that was away comes back when its lease is closing: by its word the contract ends
/// the lease at once, and not a day after its end.
TEST_F(ChainTest, TheWordOfAProviderThatWasLostIsTakenLate) {
  const LeaseId id = running();
  w.tick(61'000);
  ASSERT_EQ(w.lease(id).reason, "provider_lost");
  EXPECT_EQ(w.code(Close{{id, 100}, {}}), ErrorCode::conflict) << "its pay is 99";
  w.finalize(id);
  EXPECT_FALSE(end_wants(w.lease(id), w.mirror(), 86'400).close);
  w.ok(Close{{id, 99}, {}});
  EXPECT_TRUE(end_wants(w.lease(id), w.mirror(), 86'400).close);
  EXPECT_EQ(w.seen<CloseWanted>().size(), 2u) << "told again, with the word";
  EXPECT_EQ(w.lease(id).final_charge, 100u) << "the bill stands";
  EXPECT_TRUE(w.ok(Close{{id, 99}, {}}).repeated);
  EXPECT_EQ(w.code(Close{{id, 98}, {}}), ErrorCode::conflict);
  w.check();
  w.sees({chain::Closed{id, 100, 1, 900}});
  EXPECT_EQ(state(id), LeaseState::failed);
  EXPECT_EQ(w.lease(id).reason, "provider_lost");
}

TEST_F(ChainTest, TheBuyerMayStopTheContractsClockOfALostProvider) {
  const LeaseId id = running();
  w.tick(61'000);
  w.finalize(id);
  const auto wants = [&] { return end_wants(w.lease(id), w.mirror(), 20); };
  w.sees();
  EXPECT_TRUE(wants().claim);
  w.sees({chain::Claimed{id, 100, 1}});
  EXPECT_FALSE(wants().claim);
  w.turns(1);
  w.sees();
  EXPECT_TRUE(wants().claim) << "the turn took it back";
  w.sees({chain::Claimed{id, 100, 1}});
  w.wait_ms(15'000);
  w.ok(RequestClose{{id, 7, w.seconds() + 100, 5}, {}});
  EXPECT_EQ(w.core.stopping().size(), 1u);
  w.sees({chain::CloseRequested{id, w.seconds(), 100}});
  EXPECT_TRUE(w.core.stopping().empty());
  w.wait_ms(20'000);
  w.sees();
  EXPECT_FALSE(wants().finalize) << "20 s after the contract's own stop";
  w.wait_ms(1'000);
  w.sees();
  EXPECT_TRUE(wants().finalize);
}

/// The contract's clock may run behind: what it would not pay yet is not claimed yet, and what it
/// never pays is claimed once.
TEST_F(ChainTest, AVoucherIsClaimedOnceTheContractPaysAllThatItEverWill) {
  const LeaseId id = running();
  w.tick(61'000);
  w.finalize(id);
  const auto wants = [&] { return end_wants(w.lease(id), w.mirror(), 86'400); };
  ASSERT_EQ(w.lease(id).vouchered, 100u);
  ASSERT_EQ(w.mirror().find(id)->opened, w.mirror().last().time);
  EXPECT_FALSE(wants().claim) << "no time has passed at the contract";
  ChainSeen behind = w.block({});
  behind.to.time = w.mirror().last().time + 4;
  w.ok(behind);
  EXPECT_FALSE(wants().claim) << "40 of 100";
  behind = w.block({chain::CloseRequested{id, behind.to.time, 960}});
  behind.to.time = w.mirror().last().time + 5;
  w.ok(behind);
  EXPECT_TRUE(wants().claim) << "and no more in all time";
  w.sees({chain::Claimed{id, 40, 0}});
  EXPECT_FALSE(wants().claim);
}

TEST_F(ChainTest, AnUndoneLeaseThatOpenedIsClosedByTheWordOfEitherParty) {
  const LeaseId id = opening();
  w.wait_ms(61'000);
  w.sees();
  ASSERT_EQ(state(id), LeaseState::failed);
  EXPECT_EQ(w.code(RequestClose{{id, 7, w.seconds() + 100, 5}, {}}), ErrorCode::conflict);
  EXPECT_EQ(w.code(Close{{id, 0}, {}}), ErrorCode::conflict);
  w.turns(1);
  w.sees({chain::Opened{id, 1000, w.seconds() - 10}});
  EXPECT_EQ(w.code(Close{{id, 1}, {}}), ErrorCode::conflict) << "it earned nothing";
  w.ok(Close{{id, 0}, {}});
  EXPECT_TRUE(end_wants(w.lease(id), w.mirror(), 86'400).close);
  w.ok(RequestClose{{id, 7, w.seconds() + 100, 5}, {}});
  EXPECT_EQ(w.core.stopping().size(), 1u);
  w.check();
  w.sees({chain::Closed{id, 0, 0, 1000}});
  EXPECT_TRUE(w.core.stopping().empty());
  EXPECT_EQ(w.code(RequestClose{{id, 8, w.seconds() + 200, 5}, {}}), ErrorCode::conflict);
  w.tick(8ULL * 24 * 3600 * 1000);
  EXPECT_EQ(w.core.find_lease(id), nullptr);
}

TEST_F(ChainTest, WhatTheChainWasLateWithIsForgottenAlikeAfterARestart) {
  constexpr uint64_t kDayMs = 24 * 3'600'000;
  const LeaseId id = opening();
  w.ok(NotOpened{id, "nonce_used"});
  ASSERT_TRUE(w.lease(id).over());
  w.opens(id);
  ASSERT_EQ(w.core.settling().size(), 1u);
  w.tick(7 * kDayMs + 1);
  ASSERT_NE(w.core.find_lease(id), nullptr) << "the chain has its escrow";
  w.tick(kDayMs / 2);
  auto restored = Exchange::restore(w.core.encode(), w.rule_sets);
  ASSERT_TRUE(restored);
  const auto same = [&](const Outcome&) {
    restored->apply(w.journal.back());
    return restored->state_hash() == w.core.state_hash();
  };
  w.wait_ms(kDayMs / 4);
  EXPECT_TRUE(same(w.apply(Tick{})));
  w.wait_ms(kDayMs);
  EXPECT_TRUE(same(w.apply(w.block({chain::Closed{id, 0, 0, w.lease(id).escrow}}))));
  EXPECT_EQ(w.core.settling().size(), 0u);
  for (int half_day = 0; half_day < 20; ++half_day) {
    w.wait_ms(kDayMs / 2);
    EXPECT_TRUE(same(w.apply(Tick{}))) << half_day;
  }
  EXPECT_EQ(w.core.find_lease(id), nullptr);
}

TEST_F(ChainTest, AStopWhileItOpensWaitsForTheChain) {
  const LeaseId id = opening();
  w.ok(RequestClose{{id, 7, w.seconds() + 100, 5}, {}});
  EXPECT_EQ(state(id), LeaseState::opening);
  EXPECT_TRUE(w.seen<StopWanted>().empty());
  w.check();
  w.opens(id);
  EXPECT_EQ(state(id), LeaseState::funded);
  EXPECT_EQ(w.seen<StopRequested>().size(), 1u);
  EXPECT_EQ(w.seen<StopWanted>().size(), 1u);
  w.wait_ms(5000);
  w.beat(id, 5, 0, 5000);
  w.ok(Close{{id, 0}, {}});
  w.finalize(id);
  EXPECT_EQ(w.lease(id).final_charge, 0u);
}

TEST_F(ChainTest, AStopWhileItOpensEndsTheBidIfItDoesNot) {
  w.ok(w.ask(kOther, 15));
  const LeaseId id = opening();
  const eip712::Bid bid = w.lease(id).bid;
  eip712::CancelBids cancel{party(kBuyer), bid.nonce / 256, {}, 1, w.seconds() + 100, 0};
  cancel.mask.bytes[31 - (bid.nonce % 256) / 8] = static_cast<uint8_t>(1U << (bid.nonce % 8));
  w.ok(CancelBids{cancel, {}});
  EXPECT_EQ(state(id), LeaseState::opening);
  w.check();
  w.ok(NotOpened{id, ""});
  EXPECT_EQ(w.lease(id).reason, "buyer_cancelled");
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
  EXPECT_EQ(w.seen<BidChanged>().back().change, BidChange::cancelled);
}

TEST_F(ChainTest, CancellingOnTheChainEndsBids) {
  PlaceBid waits = w.bid(kBuyer, 5);
  waits.spec = ChainWorld::spec("", false);
  w.ok(waits);
  EXPECT_EQ(w.core.bids_of(party(kBuyer)).size(), 1u);
  U256 mask;
  mask.bytes[31 - (waits.bid.nonce % 256) / 8] = static_cast<uint8_t>(1U << (waits.bid.nonce % 8));
  w.sees({chain::BidsCancelled{party(99), 0, mask},
          chain::BidsCancelled{party(kBuyer), waits.bid.nonce / 256, mask}});
  EXPECT_TRUE(w.core.bids_of(party(kBuyer)).empty());
  EXPECT_EQ(w.code(waits), ErrorCode::replayed);
}

TEST_F(ChainTest, AnybodyMayCloseOnTheChain) {
  const LeaseId id = running();
  w.ok(PostVoucher{{id, 100}, {}});
  w.sees({chain::Claimed{id, 50, 0}, chain::Closed{id, 50, 1, 900}});
  EXPECT_EQ(state(id), LeaseState::failed);
  EXPECT_EQ(w.lease(id).reason, "closed_on_chain");
  EXPECT_EQ(w.lease(id).settlement.charged, 100u);
  EXPECT_EQ(w.lease(id).seconds_billed(), 10u);
  EXPECT_EQ(w.core.find_ask(ask)->free_units, 1u);
  EXPECT_EQ(w.seen<LeaseClosed>().size(), 1u);
  EXPECT_TRUE(w.seen<LeaseClosing>().empty());
}

TEST_F(ChainTest, OpenedAndClosedInOneBlock) {
  const LeaseId id = opening();
  w.sees({chain::Opened{id, 1000, w.seconds()}, chain::Closed{id, 0, 0, 1000}});
  EXPECT_EQ(state(id), LeaseState::failed);
  EXPECT_EQ(w.balance(kBuyer).nano, 1'000'000u);
  EXPECT_EQ(w.seen<Funded>().size(), 1u);
}

TEST_F(ChainTest, ACloseThatIsTakenBackIsWantedAgain) {
  const LeaseId id = settling();
  w.sees({chain::Closed{id, 100, 1, 900}});
  ASSERT_EQ(state(id), LeaseState::settled);
  w.turns(1);
  EXPECT_EQ(state(id), LeaseState::settled);
  EXPECT_EQ(w.seen<CloseWanted>().size(), 2u);
  EXPECT_EQ(w.core.settling().size(), 1u);
  EXPECT_EQ(w.balance(kBuyer).nano, 999'000u) << "the money follows the chain";
  EXPECT_EQ(w.balance(kProvider).nano, 0u);
  w.check();
  w.sees({chain::Closed{id, 90, 0, 910}});
  EXPECT_EQ(w.lease(id).settlement.charged, 90u);
  EXPECT_EQ(w.lease(id).settlement.refunded, 910u);
  EXPECT_EQ(w.seen<LeaseClosed>().size(), 1u);
  EXPECT_EQ(w.core.find_ask(ask)->reliability_pm, 1000u);
}

TEST_F(ChainTest, OpeningAndCloseTakenBackAreBothWantedAgain) {
  const LeaseId id = settling();
  w.sees({chain::Closed{id, 100, 1, 900}});
  w.turns(2);
  EXPECT_EQ(state(id), LeaseState::settled);
  EXPECT_EQ(w.core.opening().size(), 1u);
  EXPECT_TRUE(w.core.settling().empty());
  EXPECT_EQ(w.balance(kBuyer).nano, 1'000'000u);
  w.check();
  w.sees({chain::Opened{id, 1000, w.seconds()}});
  EXPECT_TRUE(w.core.opening().empty());
  EXPECT_EQ(w.core.settling().size(), 1u);
  w.sees({chain::Closed{id, 0, 0, 1000}});
  EXPECT_EQ(w.lease(id).settlement.charged, 0u);
}

}  // namespace
}  // namespace mizan::exchange
