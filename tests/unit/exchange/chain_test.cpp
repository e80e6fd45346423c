// Leases on a chain: opening, closing, and both taken back (docs/LEASE.md).
#include "exchange/receipt.hpp"
#include "support/chain_world.hpp"

namespace mizan::exchange {
namespace {

using test::ChainWorld;
using test::party;

constexpr uint8_t kBuyer = 1;
constexpr uint8_t kProvider = 2;
constexpr uint8_t kOther = 3;

class ChainTest : public ::testing::Test {
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

TEST_F(ChainTest, OpensWhenTheChainSaysSo) {
  const LeaseId id = matched();
  const Lease& lease = w.lease(id);
  EXPECT_EQ(lease.id, eip712::digest(eip712::Domain::evm(31337, party(240)), lease.terms));
  EXPECT_EQ(w.balance(kBuyer).nano, 999'000u) << "1000 are reserved";
  w.wait_ms(3000);
  w.accept(id);
  EXPECT_EQ(lease.state, LeaseState::opening);
  EXPECT_EQ(lease.clearance_until, w.seconds() + 60);
  EXPECT_EQ(w.seen<OpenWanted>().size(), 1u);
  EXPECT_EQ(w.core.opening().size(), 1u);
  EXPECT_TRUE(w.ok(Accept{lease.terms, {}}).repeated);
  EXPECT_EQ(w.code(Reject{id, party(kProvider), "", ""}), ErrorCode::conflict);
  w.check();
  w.tick(15'000);
  w.beat(id, 1, 500, 0);
  EXPECT_EQ(lease.state, LeaseState::opening) << "work that began before does not count";
  w.opens(id);
  EXPECT_EQ(lease.state, LeaseState::funded);
  EXPECT_EQ(lease.opened_at.ms, w.seconds() * 1000);
  EXPECT_EQ(w.seen<Funded>().size(), 1u);
  EXPECT_TRUE(w.core.opening().empty());
  EXPECT_EQ(w.balance(kBuyer).nano, 999'000u);
  EXPECT_EQ(w.escrowed(kBuyer).nano, 1000u);
  EXPECT_EQ(w.mirror().balance(party(kBuyer)), 999'000u);
  EXPECT_EQ(w.core.account(party(kBuyer)).open_orders, 0u);
}

TEST_F(ChainTest, WhatTheWordOfItsOpeningWasLateIsNotBilled) {
  const LeaseId id = opening();
  const uint64_t opened = w.seconds() + 1;
  w.wait_ms(31'000);
  w.sees({chain::Opened{id, w.lease(id).escrow, opened}});
  EXPECT_EQ(w.lease(id).opened_at.ms, opened * 1'000);
  w.wait_ms(10'000);
  w.beat(id, 2, 0, 40'000);
  EXPECT_EQ(w.lease(id).covered_ms, 10'000u);
  w.wait_ms(20'000);
  w.beat(id, 2, 0, 60'000);
  EXPECT_EQ(w.lease(id).covered_ms, 30'000u);
}

TEST_F(ChainTest, IsSettledByTheContractsAmounts) {
  const LeaseId id = settling();
  const Lease& lease = w.lease(id);
  EXPECT_TRUE(lease.billed);
  EXPECT_TRUE(w.core.closing().empty());
  EXPECT_EQ(w.seen<CloseWanted>().size(), 1u);
  EXPECT_EQ(w.core.settling().size(), 1u);
  EXPECT_EQ(w.core.find_ask(ask)->free_units, 1u);
  EXPECT_TRUE(w.seen<LeaseClosed>().empty());
  EXPECT_EQ(w.code(Finalize{id, 100, std::nullopt}), ErrorCode::conflict);
  w.check();
  w.sees({chain::Closed{id, 100, 1, 900}});
  EXPECT_EQ(lease.state, LeaseState::settled);
  EXPECT_EQ(lease.reason, "completed");
  EXPECT_EQ(lease.settlement.charged, 100u);
  EXPECT_EQ(lease.settlement.fee, 1u);
  EXPECT_EQ(lease.settlement.paid, 99u);
  EXPECT_EQ(lease.settlement.refunded, 900u);
  EXPECT_EQ(w.seen<LeaseClosed>().size(), 1u);
  EXPECT_TRUE(w.core.settling().empty());
  EXPECT_EQ(w.balance(kBuyer).nano, 999'900u);
  EXPECT_EQ(w.balance(kProvider).nano, 99u);
  EXPECT_EQ(w.core.account(party(kProvider)).earned.nano, 99u);
  EXPECT_EQ(w.core.account(party(kBuyer)).spent.nano, 100u);
  EXPECT_EQ(w.core.totals().granted.nano, 1'000'000u);
  EXPECT_EQ(w.core.find_ask(ask)->reliability_pm, 1000u);
  w.tick(8ULL * 24 * 3600 * 1000);
  EXPECT_EQ(w.core.find_lease(id), nullptr);
  EXPECT_EQ(w.mirror().find(id), nullptr);
}

TEST_F(ChainTest, AReceiptIsOfTheSecondsThatTheContractPaid) {
  const LeaseId id = settling();
  w.sees({chain::Closed{id, 100, 1, 900}});
  Lease lease = w.lease(id);
  lease.terms.rate = 1'000'000;
  lease.final_seconds = 10;
  lease.settlement.charged = 9'999'001;  // less than a unit of the token is missing
  EXPECT_EQ(receipt_of(lease).seconds_billed, 10u);
  EXPECT_TRUE(ended_by_close(lease));
  lease.settlement.charged = 7'000'000;
  EXPECT_EQ(receipt_of(lease).seconds_billed, 7u);
  lease.close->min_paid = lease.settlement.paid + 1'000;
  EXPECT_FALSE(ended_by_close(lease)) << "the contract had refused it";
}

TEST_F(ChainTest, AnOpeningThatWasNeverSentIsUndone) {
  const OrderId second = w.ok(w.ask(kOther, 15)).order;
  const LeaseId id = opening();
  EXPECT_EQ(w.code(NotOpened{id, "NOT A CODE"}), ErrorCode::invalid_argument);
  w.ok(NotOpened{id, "insufficient_balance"});
  EXPECT_EQ(state(id), LeaseState::failed);
  EXPECT_EQ(w.lease(id).reason, "insufficient_balance");
  EXPECT_EQ(w.core.find_ask(ask)->free_units, 1u);
  const auto told = w.seen<Matched>();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(w.lease(told[1].lease).terms.ask_hash, second);
  EXPECT_EQ(w.escrowed(kBuyer).nano, 1500u);
  EXPECT_EQ(w.code(NotOpened{id, ""}), ErrorCode::conflict);
  EXPECT_EQ(w.code(NotOpened{told[1].lease, ""}), ErrorCode::conflict) << "not accepted yet";
}

TEST_F(ChainTest, AnOpeningIsUndoneOnceTheChainHasPassedItsClearance) {
  const LeaseId id = opening();
  w.wait_ms(60'000);
  w.sees();
  EXPECT_EQ(state(id), LeaseState::opening);
  w.tick(30'000);
  EXPECT_EQ(state(id), LeaseState::opening) << "the exchange's own clock does not tell";
  w.sees();
  EXPECT_EQ(state(id), LeaseState::failed);
  EXPECT_EQ(w.lease(id).reason, "not_opened");
  EXPECT_EQ(w.balance(kBuyer).nano, 1'000'000u);
  EXPECT_EQ(w.core.account(party(kBuyer)).open_orders, 0u);
}

/// After a turn it may open all the same: its money comes back by a close.
TEST_F(ChainTest, AnUndoneLeaseThatOpensAfterATurnIsClosed) {
  const LeaseId id = opening();
  w.wait_ms(61'000);
  w.sees();
  ASSERT_EQ(state(id), LeaseState::failed);
  w.turns(1);
  const uint64_t before = w.seconds() - 10;
  w.sees({chain::Opened{id, 1000, before}});
  EXPECT_FALSE(w.core.chain_alarm());
  EXPECT_EQ(state(id), LeaseState::failed);
  EXPECT_EQ(w.seen<CloseWanted>().size(), 1u);
  EXPECT_EQ(w.balance(kBuyer).nano, 999'000u);
  w.sees({chain::Closed{id, 0, 0, 1000}});
  EXPECT_TRUE(w.core.settling().empty());
  EXPECT_EQ(w.balance(kBuyer).nano, 1'000'000u);
}

TEST_F(ChainTest, ALiveLeaseSurvivesItsOpeningBeingTakenBack) {
  const LeaseId id = running();
  w.turns(1);
  EXPECT_EQ(state(id), LeaseState::running);
  ASSERT_EQ(w.seen<OpenWanted>().size(), 2u);
  EXPECT_EQ(w.lease(id).attempt, 0u) << "its clearance is still good";
  EXPECT_EQ(w.balance(kBuyer).nano, 999'000u) << "reserved again";
  w.check();
  w.ok(NotOpened{id, ""});
  EXPECT_EQ(state(id), LeaseState::running);
  w.wait_ms(5000);
  w.beat(id, 2, 0, 15'000);
  EXPECT_EQ(w.lease(id).covered_ms, 15'000u);
  w.opens(id);
  EXPECT_TRUE(w.core.opening().empty());
  EXPECT_EQ(w.seen<Funded>().size(), 1u);
  EXPECT_EQ(w.balance(kBuyer).nano, 999'000u);
}

TEST_F(ChainTest, AFreshClearanceWhereTheOldOneHasEnded) {
  const LeaseId id = running(1000);
  for (uint32_t attempt = 1; attempt <= 2; ++attempt) {
    for (int i = 0; i < 2; ++i) {
      w.wait_ms(40'000);
      w.beat(id, 2, 0, 10'000);
    }
    attempt == 1 ? w.turns(1) : w.sees();
    EXPECT_EQ(w.lease(id).attempt, attempt);
    EXPECT_EQ(w.lease(id).clearance_until, w.seconds() + 60);
    EXPECT_EQ(w.seen<OpenWanted>().size(), 1u + attempt);
  }
  w.opens(id);
  w.check();
  EXPECT_EQ(state(id), LeaseState::running);
}

/// What the chain turned meanwhile is told before it counts as heard again.
TEST_F(ChainTest, ATurnWhileTheChainIsAwayCostsTheProviderNothing) {
  const LeaseId id = running(1000);
  for (int i = 0; i < 2; ++i) {
    w.wait_ms(40'000);
    w.beat(id, 2, 0, 10'000);
  }
  w.ok(ChainAway{true});
  w.turns(1);
  EXPECT_EQ(state(id), LeaseState::running);
  EXPECT_EQ(w.lease(id).attempt, 1u);
  for (int i = 0; i < 2; ++i) {
    w.wait_ms(40'000);
    w.beat(id, 2, 0, 10'000);
  }
  w.sees();
  EXPECT_EQ(w.lease(id).attempt, 2u);
  w.ok(ChainAway{false});
  w.opens(id);
  EXPECT_EQ(state(id), LeaseState::running);
}

TEST_F(ChainTest, EndsUnpaidWhereTheBidDoesNotAllowAnotherOpening) {
  const LeaseId id = running();
  w.ok(PostVoucher{{id, 100}, {}});
  w.wait_ms(50'000);
  w.beat(id, 2, 0, 10'000);
  w.turns(1);
  EXPECT_EQ(state(id), LeaseState::running);
  for (int i = 0; i < 2; ++i) {
    w.wait_ms(35'000);
    w.beat(id, 2, 0, 10'000);
  }
  w.sees();  // past the lease's end
  const Lease& lease = w.lease(id);
  EXPECT_EQ(lease.state, LeaseState::failed);
  EXPECT_EQ(lease.reason, "chain_turned");
  EXPECT_EQ(lease.seconds_billed(), 0u);
  EXPECT_EQ(lease.settlement.charged, 0u);
  EXPECT_EQ(lease.settlement.refunded, 1000u);
  EXPECT_EQ(w.seen<LeaseClosed>().size(), 1u);
  EXPECT_EQ(w.balance(kBuyer).nano, 1'000'000u);
  EXPECT_EQ(w.core.find_ask(ask)->free_units, 1u);
  EXPECT_FALSE(w.core.find_ask(ask)->reliability_pm) << "not the provider's fault";
  // And if that turn is turned, the money follows, and the voucher is claimed.
  w.turns(1);
  w.sees({chain::Opened{id, 1000, w.seconds() - 100}});
  EXPECT_EQ(w.core.settling().size(), 1u);
  w.sees({chain::Closed{id, 100, 1, 900}});
  EXPECT_EQ(lease.settlement.charged, 100u);
  EXPECT_EQ(w.balance(kProvider).nano, 99u);
}

TEST_F(ChainTest, IsClosedAfterItsOpeningWasTakenBackWhileItClosed) {
  const LeaseId id = running();
  w.beat(id, 4, 0, 10'000);
  w.ok(Close{{id, 99}, {}});
  w.turns(1);
  w.finalize(id);
  EXPECT_TRUE(w.lease(id).billed);
  EXPECT_TRUE(w.core.settling().empty());
  EXPECT_EQ(w.core.opening().size(), 1u);
  w.check();
  w.opens(id);
  EXPECT_EQ(w.core.settling().size(), 1u);
  w.sees({chain::Closed{id, 0, 0, 1000}});  // the chain's clock began later
  EXPECT_EQ(state(id), LeaseState::settled);
  EXPECT_EQ(w.lease(id).settlement.charged, 0u);
}

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

TEST_F(ChainTest, NothingIsMatchedOnceAKeyIsStolen) {
  PlaceBid waits = w.bid(kBuyer, 20);
  const LeaseId live = running();
  const LeaseId stray = keccak256("stray");
  w.sees({chain::Opened{stray, 500, w.seconds()}});
  EXPECT_EQ(w.core.chain_alarm(), stray);
  EXPECT_EQ(w.seen<ChainAlarm>().size(), 1u);
  EXPECT_EQ(w.core.opens().error().code, ErrorCode::unavailable);
  w.ok(w.ask(kOther, 10));
  EXPECT_EQ(w.code(waits), ErrorCode::unavailable);
  w.turns(1);
  EXPECT_EQ(w.core.chain_alarm(), stray) << "the key is stolen all the same";
  w.sees({chain::Closed{live, 0, 0, 1000}});
  EXPECT_EQ(state(live), LeaseState::failed);
}

/// Stolen, or restored from an older backup: another key ends it, at the contract and here.
TEST_F(ChainTest, AnotherClearanceKeyEndsTheAlarm) {
  const Address spare = party(77);
  const LeaseId stray = keccak256("stray");
  w.sees({chain::Opened{stray, 500, w.seconds()}});
  EXPECT_EQ(w.core.chain_alarm(), stray);
  EXPECT_NE(w.core.opens().error().message.find("restored from an older backup"),
            std::string::npos);
  w.ok(UseClearanceKey{spare});
  EXPECT_EQ(w.core.clearance(), spare);
  EXPECT_FALSE(w.core.opens()) << "the contract takes the old key's still";
  EXPECT_EQ(w.core.chain_alarm(), stray);
  w.sees({chain::ClearanceKeyIs{spare}});
  EXPECT_FALSE(w.core.chain_alarm());
  EXPECT_TRUE(w.core.opens());
  w.check();
  w.turns(1);
  EXPECT_EQ(w.core.chain_alarm(), stray) << "the turn has put the old key in force again";
  w.sees({chain::ClearanceKeyIs{spare}});
  matched();
  EXPECT_EQ(w.seen<ChainAlarm>().size(), 1u);
  // The new one can be stolen as well.
  w.sees({chain::Opened{keccak256("another"), 500, w.seconds()}});
  EXPECT_EQ(w.core.chain_alarm(), keccak256("another"));
  EXPECT_EQ(w.seen<ChainAlarm>().size(), 2u);
  EXPECT_EQ(w.code(UseClearanceKey{}), ErrorCode::invalid_argument);
  EXPECT_EQ(w.code(UseClearanceKey{w.core.config()->meter}), ErrorCode::invalid_argument);
}

/// Even a lease that was matched here is not cleared before the provider accepts it.
TEST_F(ChainTest, AnOpeningBeforeTheAcceptanceIsAnAlarm) {
  const LeaseId id = matched();
  w.opens(id);
  EXPECT_EQ(w.core.chain_alarm(), id);
  EXPECT_EQ(state(id), LeaseState::matched);
  EXPECT_EQ(w.code(Accept{w.lease(id).terms, {}}), ErrorCode::unavailable);
  w.tick(20'000);
  EXPECT_EQ(state(id), LeaseState::failed);
  EXPECT_TRUE(w.seen<CloseWanted>().empty());
  w.ok(RequestClose{{id, 7, w.seconds() + 100, 5}, {}});
  EXPECT_EQ(w.core.stopping().size(), 1u) << "its buyer may have it ended";
  w.sees({chain::CloseRequested{id, w.seconds(), 900}});
  EXPECT_TRUE(w.core.stopping().empty());
}

TEST_F(ChainTest, NothingIsMatchedWhileTheContractIsPausedOrHasAnotherKey) {
  PlaceBid waits = w.bid(kBuyer, 5);
  waits.spec = ChainWorld::spec("", false);
  w.ok(waits);
  for (const ChainFact& fact :
       {ChainFact{chain::Paused{true}}, ChainFact{chain::ClearanceKeyIs{}}}) {
    w.sees({fact});
    EXPECT_EQ(w.code(w.bid(kBuyer, 20)), ErrorCode::unavailable);
    w.turns(1);
    EXPECT_TRUE(w.core.opens());
  }
  w.sees({chain::Paused{true}});
  w.ok(w.ask(kOther, 4));
  EXPECT_EQ(w.core.bids_of(party(kBuyer)).size(), 1u);
  EXPECT_TRUE(w.seen<Matched>().empty());
  w.sees({chain::Paused{false}});
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
}

/// A buyer may have stopped its lease there: nothing is promised that the contract may not pay.
TEST_F(ChainTest, NothingIsMatchedNorVoucheredWhileTheChainIsAway) {
  PlaceBid waits = w.bid(kBuyer, 5);
  waits.spec = ChainWorld::spec("", false);
  w.ok(waits);
  const LeaseId id = running();
  w.wait_ms(10'000);
  w.beat(id, 2, 0, 20'000);
  ASSERT_EQ(w.core.due_vouchers().size(), 1u);
  w.ok(ChainAway{true});
  EXPECT_TRUE(w.core.chain_away());
  EXPECT_TRUE(w.core.due_vouchers().empty());
  const size_t before = w.seen<Matched>().size();
  w.ok(w.ask(kOther, 4));
  EXPECT_EQ(w.seen<Matched>().size(), before);
  EXPECT_EQ(w.code(w.bid(kBuyer, 20)), ErrorCode::unavailable);
  w.check();
  w.ok(ChainAway{false});
  EXPECT_EQ(w.seen<Matched>().size(), before + 1);
  EXPECT_EQ(w.core.due_vouchers().size(), 1u);
}

TEST_F(ChainTest, AWithdrawalBeforeTheOpeningCostsTheBuyerItsMatchAlone) {
  const LeaseId id = opening();
  w.sees({chain::Withdrawn{party(kBuyer), party(kBuyer), 999'500}});
  EXPECT_EQ(w.balance(kBuyer).nano, 0u);
  EXPECT_EQ(state(id), LeaseState::opening);
  w.ok(NotOpened{id, "insufficient_balance"});
  EXPECT_EQ(w.balance(kBuyer).nano, 500u);
  EXPECT_EQ(w.core.find_ask(ask)->free_units, 1u);
}

TEST_F(ChainTest, MoneyThatComesMatchesWhatWaited) {
  PlaceBid waits = w.bid(kOther, 8);
  waits.spec = ChainWorld::spec("", false);
  EXPECT_EQ(w.code(waits), ErrorCode::insufficient_funds);
  w.deposits(party(kOther), 800);
  w.ok(waits);
  w.sees({chain::Withdrawn{party(kOther), party(kOther), 100}});
  w.ok(w.ask(kProvider, 8));
  EXPECT_TRUE(w.seen<Matched>().empty());
  w.deposits(party(kOther), 100);
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
  EXPECT_EQ(w.balance(kOther).nano, 0u);
}

TEST_F(ChainTest, ContradictionsChangeNothing) {
  const LeaseId id = running();
  const Bytes before = w.core.encode();
  const auto refuses = [&](Command command, ErrorCode code) {
    EXPECT_EQ(w.code(std::move(command)), code);
    size_t differs = 0;
    const Bytes after = w.core.encode();
    ASSERT_EQ(after.size(), before.size());
    for (size_t i = 0; i < after.size(); ++i) differs += after[i] != before[i] ? 1 : 0;
    EXPECT_LE(differs, 8u) << "only the sequence counts on";
  };
  refuses(w.block({chain::Deposited{party(7), 5}, chain::Withdrawn{party(7), party(7), 6}}),
          ErrorCode::corrupted);
  refuses(w.block({chain::BidsCancelled{party(kBuyer), 0, {}}, chain::Opened{id, 1, 5}}),
          ErrorCode::corrupted);
  refuses(w.block({chain::Opened{keccak256("stray"), 5, 5}, chain::Opened{id, 1, 5}}),
          ErrorCode::corrupted);
  ChainSeen old = w.block({});
  old.to.number = w.mirror().last().number;
  refuses(old, ErrorCode::conflict);
  refuses(ChainTakenBack{{3, keccak256("never"), 1}}, ErrorCode::not_found);
  refuses(NotOpened{keccak256("never"), ""}, ErrorCode::not_found);
  refuses(Grant{{party(kBuyer), 5, 1, w.seconds() + 5}, {}}, ErrorCode::forbidden);
}

TEST(Credits, HaveNoChain) {
  test::CoreWorld w;
  EXPECT_EQ(w.code(ChainSeen{}), ErrorCode::unsupported_key);
  EXPECT_EQ(w.code(ChainTakenBack{}), ErrorCode::unsupported_key);
  EXPECT_EQ(w.code(ChainAway{}), ErrorCode::unsupported_key);
  EXPECT_EQ(w.code(StopSeen{}), ErrorCode::unsupported_key);
  EXPECT_EQ(w.core.chain(), nullptr);
  EXPECT_TRUE(w.core.opens());
}

TEST(Credits, AGenesisOnAChainIsChecked) {
  Exchange core;
  const auto refused = [&core](auto change) {
    Genesis genesis = test::chain_genesis();
    genesis.identity = party(250);
    genesis.operator_ = party(251);
    genesis.meter = party(252);
    genesis.clearance = party(253);
    genesis.fee_to = party(254);
    Bytes seed(as_bytes("mizan-exchange").begin(), as_bytes("mizan-exchange").end());
    seed.insert(seed.end(), genesis.identity.bytes.begin(), genesis.identity.bytes.end());
    genesis.exchange_id = keccak256(seed);
    change(genesis);
    const auto outcome = core.apply({core.last_sequence() + 1, {1000}, {}, genesis});
    return !outcome.answer && outcome.answer.error().code == ErrorCode::invalid_argument;
  };
  EXPECT_TRUE(refused([](Genesis& g) { g.chain->decimals = 5; }));
  EXPECT_TRUE(refused([](Genesis& g) { g.chain->decimals = 19; }));
  EXPECT_TRUE(refused([](Genesis& g) { g.chain->chain_id = 0; }));
  EXPECT_TRUE(refused([](Genesis& g) { g.chain->contract = {}; }));
  EXPECT_TRUE(refused([](Genesis& g) { g.meter = g.clearance; }));
  EXPECT_TRUE(refused([](Genesis& g) { g.limits.nodes = 2000; }));
  EXPECT_FALSE(refused([](Genesis&) {}));
}

/// What is matched goes on with what gas there is; nothing new begins.
TEST_F(ChainTest, NothingNewOpensWhileGasIsLow) {
  const LeaseId before = matched();
  w.ok(w.ask(kOther, 10));
  w.ok(ChainGas{true});
  EXPECT_TRUE(w.core.gas_is_low());
  const auto refused = w.apply(w.bid(kBuyer, 20));
  ASSERT_FALSE(refused.answer);
  EXPECT_EQ(refused.answer.error().code, ErrorCode::unavailable);
  EXPECT_NE(refused.answer.error().message.find("gas account is too low"), std::string::npos);
  w.accept(before);
  w.opens(before);
  EXPECT_EQ(state(before), LeaseState::funded);
  w.check();
  // A lease whose opening a turn took back is opened again.
  w.turns(1);
  w.wait_ms(61'000);
  w.sees();
  EXPECT_EQ(w.lease(before).attempt, 1u);
  w.opens(before);
  w.ok(ChainGas{false});
  w.ok(w.ask(kOther, 10));
  matched();
}

TEST_F(ChainTest, RestingBidsMatchWhenThereIsGasAgain) {
  PlaceBid waits = w.bid(kBuyer, 5);
  waits.spec = ChainWorld::spec("", false);
  w.ok(waits);
  w.ok(ChainGas{true});
  w.ok(w.ask(kOther, 5));
  EXPECT_TRUE(w.seen<Matched>().empty());
  w.ok(ChainGas{false});
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
}

TEST(LeastEscrow, NoLeaseIsMadeBelowIt) {
  exchange::Genesis genesis = test::chain_genesis();
  genesis.chain->least_escrow = 500;
  ChainWorld w(genesis);
  w.deposits(party(kBuyer), 1'000'000);
  const auto refusal = [&](Command command, const std::string& field) {
    const auto refused = w.apply(std::move(command));
    ASSERT_FALSE(refused.answer);
    EXPECT_EQ(refused.answer.error().details.at("field"), field);
    EXPECT_NE(refused.answer.error().message.find("the least escrow of a lease here"),
              std::string::npos)
        << refused.answer.error().message;
    EXPECT_NE(refused.answer.error().message.find("$0.0000005"), std::string::npos)
        << refused.answer.error().message;
  };
  PlaceAsk free = w.ask(kProvider, 0);
  refusal(free, "ask.rate");
  w.ok(w.ask(kProvider, 10));
  refusal(w.bid(kBuyer, 0), "bid.maxRate");
  refusal(w.bid(kBuyer, 20, 1, 1, 24), "bid.maxRate");
  PlaceBid poor = w.bid(kBuyer, 20, 1, 1, 100);
  poor.bid.max_total = 499;
  refusal(poor, "bid.maxTotal");
  // It bids enough, and what it would get costs less.
  const auto small = w.apply(w.bid(kBuyer, 20, 1, 1, 49));
  ASSERT_FALSE(small.answer && !small.answer->leases.empty());
  EXPECT_TRUE(w.seen<Matched>().empty());
  EXPECT_EQ(w.ok(w.bid(kBuyer, 20, 1, 1, 50)).leases.size(), 1u);
  std::vector<market::Reason> reasons;
  PlanRequest plan;
  plan.max_rate = 20;
  plan.max_seconds = 49;
  w.ok(w.ask(kOther, 10));
  EXPECT_FALSE(w.core.plan(plan, 10, &reasons));
  ASSERT_FALSE(reasons.empty());
  EXPECT_EQ(reasons.back().dimension, "least_escrow");
  plan.max_seconds = 50;
  EXPECT_TRUE(w.core.plan(plan, 10, &reasons));
  w.check();
}

}  // namespace
}  // namespace mizan::exchange
