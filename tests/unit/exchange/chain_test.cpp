// Leases on a chain: opening, closing, and openings taken back (docs/LEASE.md).
#include "exchange/receipt.hpp"
#include "unit/exchange/chain_fixture.hpp"

namespace mizan::exchange {
namespace {

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

}  // namespace
}  // namespace mizan::exchange
