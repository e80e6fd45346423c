// A lease's life, as docs/LEASE.md draws it.
#include "exchange/receipt.hpp"
#include "support/core_world.hpp"

namespace mizan::exchange {
namespace {

using test::CoreWorld;
using test::party;

constexpr uint8_t kBuyer = 1;
constexpr uint8_t kProvider = 2;
constexpr uint8_t kOther = 3;

class LeaseTest : public ::testing::Test {
 protected:
  LeaseTest() {
    w.grant(party(kBuyer), 1'000'000);
    ask = w.ok(w.ask(kProvider, 10)).order;
  }
  LeaseId matched() {
    const Answer answer = w.ok(w.bid(kBuyer, 20));
    EXPECT_EQ(answer.leases.size(), 1u);
    return answer.leases.empty() ? LeaseId{} : answer.leases.front();
  }
  LeaseId funded() {
    const LeaseId id = matched();
    w.accept(id);
    return id;
  }
  /// The job ends well.
  void finish(const LeaseId& id) {
    w.wait_ms(2000);
    w.beat(id, 4, 0, 1000);
    w.ok(Close{{id, 0}, {}});
    w.finalize(id);
  }
  void check_settled(const LeaseId& id, LeaseState state, std::string_view reason,
                     uint64_t seconds) {
    const Lease& lease = w.lease(id);
    EXPECT_EQ(lease.state, state);
    EXPECT_EQ(lease.reason, reason);
    const eip712::Receipt receipt = receipt_of(lease);
    EXPECT_EQ(receipt.seconds_billed, seconds);
    EXPECT_EQ(receipt.charged, lease.terms.rate * lease.units() * seconds);
    EXPECT_EQ(receipt.charged, lease.vouchered);
    EXPECT_EQ(receipt.fee, receipt.charged * lease.terms.fee_bps / 10'000);
    EXPECT_EQ(receipt.fee + receipt.paid, receipt.charged);
    EXPECT_EQ(receipt.charged + receipt.refunded, receipt.escrow);
    EXPECT_EQ(w.core.account(party(kBuyer)).balance.nano, 1'000'000 - receipt.charged);
    EXPECT_EQ(w.core.account(party(kBuyer)).escrowed.nano, 0u);
    EXPECT_EQ(w.core.find_ask(ask)->free_units, 1u);
    EXPECT_TRUE(lease.spec.empty());
    EXPECT_EQ(w.replayed().state_hash(), w.core.state_hash());
  }
  CoreWorld w;
  OrderId ask;
};

TEST_F(LeaseTest, RunsFromMatchToSettlement) {
  const LeaseId id = matched();
  const Lease& lease = w.lease(id);
  EXPECT_EQ(lease.state, LeaseState::matched);
  EXPECT_EQ(lease.terms.rate, 10u);
  EXPECT_EQ(lease.terms.seconds, 100u);
  EXPECT_EQ(lease.terms.start, w.seconds());
  EXPECT_EQ(lease.id, eip712::digest(w.domain, lease.terms));
  EXPECT_EQ(lease.escrow, 1000u);
  EXPECT_EQ(lease.verdict.outcome, "ALLOW");
  EXPECT_NE(lease.verdict.note.find("empty"), std::string::npos);
  EXPECT_EQ(w.core.account(party(kBuyer)).balance.nano, 999'000u);
  EXPECT_EQ(w.core.find_ask(ask)->free_units, 0u);
  const auto told = w.seen<Matched>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].accept_by.ms, w.now.ms + 10'000);

  w.wait_ms(300);
  w.accept(id);
  EXPECT_EQ(lease.state, LeaseState::funded);
  EXPECT_EQ(clearance_of(lease).valid_until, w.seconds() + 60);
  EXPECT_TRUE(w.ok(Accept{lease.terms, {}}).repeated);

  w.wait_ms(2000);
  w.beat(id, 1, 1500, 0);
  EXPECT_EQ(lease.state, LeaseState::staging);
  EXPECT_EQ(lease.covered_ms, 1500u);
  w.wait_ms(10'000);
  w.beat(id, 2, 2000, 9500);
  EXPECT_EQ(lease.state, LeaseState::running);
  EXPECT_EQ(lease.seconds_billed(), 11u);
  ASSERT_EQ(w.core.due_vouchers().size(), 1u);
  EXPECT_EQ(w.code(PostVoucher{{id, 120}, {}}), ErrorCode::conflict);
  EXPECT_EQ(w.code(PostVoucher{{id, 105}, {}}), ErrorCode::invalid_argument);
  w.ok(PostVoucher{{id, 110}, {}});
  EXPECT_TRUE(w.core.due_vouchers().empty());
  EXPECT_EQ(w.seen<Vouchered>().size(), 1u);

  w.wait_ms(5000);
  auto last = w.status(id, 4, 2000, 12'999);
  last.exit_code = 3;
  last.reason = "oom";
  last.outputs = keccak256("outputs");
  w.ok(w.heartbeat(kProvider, {last}));
  EXPECT_EQ(lease.state, LeaseState::collecting);
  EXPECT_EQ(w.code(Close{{id, 140}, {}}), ErrorCode::conflict) << "14 s x 10 less 1 % is 139";
  w.ok(Close{{id, 139}, {}});
  EXPECT_TRUE(lease.closing);
  EXPECT_TRUE(w.ok(Close{{id, 139}, {}}).repeated);
  const auto closing = w.seen<LeaseClosing>();
  ASSERT_EQ(closing.size(), 1u);
  EXPECT_EQ(closing[0].cumulative.nano, 140u);
  EXPECT_EQ(w.core.closing().size(), 1u);
  EXPECT_EQ(w.code(Finalize{id, 0, std::nullopt}), ErrorCode::conflict);
  w.finalize(id);
  EXPECT_TRUE(w.core.closing().empty());
  check_settled(id, LeaseState::settled, "oom", 14);
  EXPECT_EQ(lease.exit_code, 3);
  EXPECT_EQ(w.core.account(party(kProvider)).balance.nano, 139u);
  EXPECT_EQ(w.core.totals().fees.nano, 1u);
  EXPECT_EQ(w.core.find_ask(ask)->reliability_pm, 1000u);
  EXPECT_TRUE(w.ok(Close{{id, 139}, {}}).repeated);
  EXPECT_EQ(w.code(Finalize{id, 0, Signature{}}), ErrorCode::conflict);
}

TEST_F(LeaseTest, AProviderThatTurnsDownIsLeftOutWithAllItsAsks) {
  for (int i = 0; i < 3; ++i) w.ok(w.ask(7, 1));
  const LeaseId junk = matched();
  ASSERT_EQ(w.lease(junk).terms.provider, party(7));
  w.ok(Reject{junk, party(7), "no", ""});
  ASSERT_EQ(w.seen<Matched>().size(), 2u);
  EXPECT_EQ(w.lease(w.seen<Matched>().back().lease).terms.provider, party(kProvider));
  EXPECT_EQ(w.core.asks_of(party(7))[0].reliability_pm, 0u);
  EXPECT_EQ(w.replayed().state_hash(), w.core.state_hash());
}

TEST_F(LeaseTest, WhomManyTurnedDownMeetsProvidersWithARecord) {
  finish(funded());
  for (uint8_t n = 10; n < 80; ++n) w.ok(w.ask(n, 1));
  LeaseId now = matched();
  for (size_t turned_down = 0; turned_down < 8; ++turned_down) {
    ASSERT_NE(w.lease(now).terms.provider, party(kProvider));
    w.ok(Reject{now, w.lease(now).terms.provider, "no", ""});
    now = w.seen<Matched>().back().lease;
  }
  EXPECT_EQ(w.lease(now).terms.provider, party(kProvider));
  EXPECT_EQ(w.lease(now).state, LeaseState::matched);
  EXPECT_EQ(w.replayed().state_hash(), w.core.state_hash());
}

TEST_F(LeaseTest, WhoeverTakesNothingIsSetAside) {
  const OrderId junk = w.ok(w.ask(7, 1, 2)).order;
  for (uint8_t n = 20; n < 40; ++n) w.grant(party(n), 1'000'000);
  const auto offered_to = [&](uint8_t buyer) { return w.ok(w.bid(buyer, 5)).leases.at(0); };
  const auto turned_down = [&](uint8_t buyer) {
    w.ok(Reject{offered_to(buyer), party(7), "no", ""});
    return w.core.find_ask(junk)->live;
  };
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(turned_down(20)) << "of one buyer the first counts";
  for (uint8_t n = 21; n < 27; ++n) EXPECT_TRUE(turned_down(n));
  w.accept(offered_to(30));
  for (uint8_t n = 20; n < 27; ++n) EXPECT_TRUE(turned_down(n)) << "not in a row";
  EXPECT_FALSE(turned_down(31));
  EXPECT_EQ(w.code(w.bid(32, 5)), ErrorCode::no_match);
  EXPECT_EQ(w.code(w.ask(7, 1)), ErrorCode::limit_exceeded);
  w.ok(w.heartbeat(7));
  EXPECT_FALSE(w.core.find_ask(junk)->live);
  w.tick(10ULL * 60 * 1000 - 1);
  w.ok(w.heartbeat(7));
  EXPECT_FALSE(w.core.find_ask(junk)->live);
  w.tick(1);
  w.ok(w.heartbeat(7));
  EXPECT_TRUE(w.core.find_ask(junk)->live);
  offered_to(32);
  EXPECT_EQ(w.replayed().state_hash(), w.core.state_hash());
}

TEST_F(LeaseTest, WhoeverHasDoneItsWorkIsNotSetAside) {
  finish(funded());
  for (uint8_t n = 20; n < 40; ++n) {
    w.grant(party(n), 1'000'000);
    w.ok(Reject{w.ok(w.bid(n, 20)).leases.at(0), party(kProvider), "no", ""});
  }
  EXPECT_TRUE(w.core.find_ask(ask)->live);
  EXPECT_EQ(w.core.find_ask(ask)->reliability_pm, 1000u / 21);
}

TEST_F(LeaseTest, AMatchThatNobodyAcceptsIsUndone) {
  const LeaseId id = matched();
  w.tick(9'999);
  EXPECT_EQ(w.lease(id).state, LeaseState::matched);
  w.tick(1);
  EXPECT_EQ(w.lease(id).state, LeaseState::failed);
  EXPECT_EQ(w.lease(id).reason, "not_accepted");
  EXPECT_EQ(w.core.find_ask(ask)->reliability_pm, 0u);
  EXPECT_EQ(w.core.account(party(kBuyer)).balance.nano, 1'000'000u);
  EXPECT_EQ(w.core.find_ask(ask)->free_units, 1u);
  EXPECT_EQ(w.code(Accept{w.lease(id).terms, {}}), ErrorCode::conflict);
  const auto bids = w.seen<BidChanged>();
  ASSERT_EQ(bids.size(), 2u);
  EXPECT_EQ(bids[1].change, BidChange::no_match);
  EXPECT_EQ(w.core.account(party(kBuyer)).open_orders, 0u);
}

TEST_F(LeaseTest, ARejectedBidGoesToTheNextAsk) {
  const OrderId second = w.ok(w.ask(kOther, 15)).order;
  const LeaseId first = matched();
  w.ok(Reject{first, party(kProvider), "no_disk", "the disk is full"});
  EXPECT_EQ(w.lease(first).reason, "no_disk");
  const auto told = w.seen<Matched>();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(w.lease(told[1].lease).terms.ask_hash, second);
  EXPECT_EQ(w.core.account(party(kBuyer)).escrowed.nano, 1500u);
  EXPECT_EQ(w.code(Reject{first, party(kProvider), "", ""}), ErrorCode::conflict);
  EXPECT_EQ(w.code(Reject{told[1].lease, party(kProvider), "", ""}), ErrorCode::forbidden);
  w.accept(told[1].lease);
  EXPECT_EQ(w.code(Reject{told[1].lease, party(kOther), "", ""}), ErrorCode::conflict);
}

TEST_F(LeaseTest, CoverageIsBoundedByTheExchangesClockAndTheLease) {
  const LeaseId id = funded();
  const Lease& lease = w.lease(id);
  w.wait_ms(3000);
  w.beat(id, 2, 0, 50'000);
  EXPECT_EQ(lease.covered_ms, 3000u) << "no more than the time since opening";
  for (uint64_t i = 1; i <= 60; ++i) {
    w.wait_ms(2000);
    w.beat(id, 2, 0, 50'000 + i * 2000);
  }
  EXPECT_EQ(lease.covered_ms, 99'500u) << "opened half a second into its first second";
  w.beat(id, 4, 0, 0);
  w.ok(Close{{id, 0}, {}});
  w.finalize(id);
  check_settled(id, LeaseState::settled, "completed", 99);
}

TEST_F(LeaseTest, StagingIsBilledUntilReadiness) {
  auto bid = w.bid(kBuyer, 20, 1, 1, 1000);
  const LeaseId id = w.ok(bid).leases.front();
  w.accept(id);
  for (uint64_t s = 10; s <= 100; s += 10) {
    w.wait_ms(10'000);
    w.beat(id, 1, s * 1000, 0);
  }
  EXPECT_EQ(w.lease(id).covered_ms, 60'000u);
  w.wait_ms(10'000);
  w.beat(id, 2, 100'000, 10'000);
  EXPECT_EQ(w.lease(id).covered_ms, 70'000u);
}

TEST_F(LeaseTest, PhasesAndDurationsOnlyRise) {
  const LeaseId id = funded();
  w.wait_ms(20'000);
  w.beat(id, 3, 1000, 9000);
  w.beat(id, 1, 500, 100);
  --w.heartbeats;
  EXPECT_EQ(w.code(w.heartbeat(kProvider)), ErrorCode::replayed);
  EXPECT_EQ(w.lease(id).phase, 3);
  EXPECT_EQ(w.lease(id).covered_ms, 10'000u);
  EXPECT_EQ(w.code(w.heartbeat(kProvider, {w.status(id, 6, 0, 0)})), ErrorCode::invalid_argument);
  auto bad = w.status(id, 4, 0, 0);
  bad.reason = "Not a code";
  EXPECT_EQ(w.code(w.heartbeat(kProvider, {bad})), ErrorCode::invalid_argument);
  w.heartbeats = 0;
  EXPECT_EQ(w.code(w.heartbeat(kProvider)), ErrorCode::replayed);
}

TEST_F(LeaseTest, AnotherProvidersHeartbeatMovesNothing) {
  w.ok(w.ask(kOther, 500));
  const LeaseId id = funded();
  w.wait_ms(5000);
  w.ok(w.heartbeat(kOther, {w.status(id, 4, 0, 5000)}));
  EXPECT_EQ(w.lease(id).covered_ms, 0u);
  EXPECT_EQ(w.lease(id).phase, 0);
}

TEST_F(LeaseTest, ASilentProviderIsLostAfterTheGrace) {
  const LeaseId id = funded();
  w.wait_ms(5000);
  w.beat(id, 2, 0, 5000);
  w.ok(PostVoucher{{id, 20}, {}});
  w.tick(59'999);
  EXPECT_FALSE(w.lease(id).closing);
  w.tick(1);
  EXPECT_TRUE(w.lease(id).closing);
  EXPECT_EQ(w.seen<LeaseClosing>().at(0).cumulative.nano, 50u);
  EXPECT_EQ(w.seen<LeaseClosing>().at(0).vouchered.nano, 20u);
  w.beat(id, 2, 0, 60'000);  // too late: the bill is fixed
  w.finalize(id);
  check_settled(id, LeaseState::failed, "provider_lost", 5);
  EXPECT_EQ(w.core.find_ask(ask)->reliability_pm, 0u);
}

TEST_F(LeaseTest, AHeartbeatWithoutTheLeaseDoesNotKeepIt) {
  const LeaseId id = funded();
  for (int i = 0; i < 61; ++i) {
    w.wait_ms(1000);
    w.ok(w.heartbeat(kProvider));
  }
  EXPECT_TRUE(w.lease(id).closing);
  w.finalize(id);
  check_settled(id, LeaseState::failed, "provider_lost", 0);
}

TEST_F(LeaseTest, ResumeGivesEveryoneTheirTimeAgain) {
  const LeaseId running = funded();
  w.wait_ms(1000);
  w.beat(running, 2, 0, 1000);
  const OrderId other = w.ok(w.ask(kOther, 5)).order;
  const LeaseId waiting = matched();
  w.wait_ms(1'000'000);
  w.ok(Resume{});
  EXPECT_FALSE(w.lease(running).closing);
  EXPECT_EQ(w.lease(waiting).state, LeaseState::matched);
  EXPECT_TRUE(w.core.find_ask(other)->live);
  w.accept(waiting);
  w.tick(59'999);
  EXPECT_FALSE(w.lease(running).closing);
  EXPECT_FALSE(w.core.find_ask(other)->live);
  w.tick(1);
  EXPECT_TRUE(w.lease(running).closing);
  EXPECT_EQ(w.replayed().state_hash(), w.core.state_hash());
}

TEST_F(LeaseTest, TheBuyersStopFreezesTheBill) {
  const LeaseId id = funded();
  w.wait_ms(10'000);
  w.beat(id, 2, 0, 10'000);
  const RequestClose stop{{id, 1, w.seconds() + 10, 0}, {}};
  w.ok(stop);
  ASSERT_EQ(w.seen<StopRequested>().size(), 1u);
  EXPECT_TRUE(w.ok(stop).repeated);
  w.wait_ms(5000);
  w.beat(id, 2, 0, 15'000);
  EXPECT_EQ(w.lease(id).covered_ms, 10'000u);
  w.beat(id, 4, 0, 15'000);
  w.ok(Close{{id, 0}, {}});
  w.finalize(id);
  check_settled(id, LeaseState::settled, "buyer_stopped", 10);
  EXPECT_EQ(w.code(stop), ErrorCode::conflict);
}

TEST_F(LeaseTest, AStopThatOthersSendAgainCostsItsBuyerNoKey) {
  Limits limits;
  limits.idempotency_keys = 3;
  CoreWorld two(100, limits);
  two.grant(party(1), 1'000'000);
  two.ok(two.ask(2, 10));
  const LeaseId id = two.ok(two.bid(1, 20)).leases.at(0);
  two.accept(id);
  const RequestClose stop{{id, 1, two.seconds() + 100, 0}, {}};
  const auto send = [&](const Command& command, const std::string& key) {
    return two.apply(command, Idempotency{party(1), key, keccak256(key)}).answer;
  };
  ASSERT_TRUE(send(stop, "its-own"));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(send(stop, "other-" + std::to_string(i)));
  EXPECT_TRUE(send(stop, "its-own")->repeated);
  PlaceBid next = two.bid(1, 20);
  next.spec = CoreWorld::spec("", false);
  EXPECT_TRUE(send(next, "its-next"));
}

TEST_F(LeaseTest, AStopBeforeAcceptanceUndoesTheMatch) {
  w.ok(w.ask(kOther, 15));
  const LeaseId id = matched();
  EXPECT_EQ(w.code(RequestClose{{id, 1, w.seconds() - 1, 0}, {}}), ErrorCode::expired);
  w.ok(RequestClose{{id, 1, w.seconds(), 0}, {}});
  EXPECT_EQ(w.lease(id).state, LeaseState::failed);
  EXPECT_EQ(w.lease(id).reason, "buyer_stopped");
  EXPECT_EQ(w.seen<Matched>().size(), 1u) << "it is not matched again";
  EXPECT_EQ(w.core.account(party(kBuyer)).balance.nano, 1'000'000u);
}

TEST_F(LeaseTest, WhatNobodyClosesIsFinalizedFromTheLastVoucher) {
  const LeaseId id = funded();
  w.wait_ms(10'000);
  w.beat(id, 2, 0, 10'000);
  w.ok(PostVoucher{{id, 70}, {}});
  const uint64_t end = w.lease(id).terms.start + 100 + 60 + 900;
  while (w.seconds() + 30 < end) {
    w.wait_ms(30'000);
    w.beat(id, 4, 0, 20'000);
  }
  EXPECT_FALSE(w.lease(id).closing);
  w.wait_ms(30'000);
  w.beat(id, 4, 0, 20'000);
  EXPECT_TRUE(w.lease(id).closing);
  w.finalize(id);
  check_settled(id, LeaseState::failed, "not_closed", 7);
}

TEST_F(LeaseTest, ASnapshotChangesNothingInTheOrderOfDeadlines) {
  w.ok(w.ask(kOther, 5));
  auto patient = w.bid(kBuyer, 20, 1, 1, 1000);
  patient.bid.grace = 100;
  const LeaseId first = w.ok(patient).leases.front();
  w.accept(first);  // its deadline is armed for second 100
  w.wait_ms(50'000);
  w.beat(first, 2, 0, 0);  // and is really at second 150
  w.ok(w.heartbeat(kProvider));
  auto hasty = w.bid(kBuyer, 20, 1, 1, 1000);
  hasty.bid.grace = 60;
  const LeaseId second = w.ok(hasty).leases.front();
  w.accept(second);  // at second 110
  auto restored = Exchange::restore(w.core.encode());
  ASSERT_TRUE(restored);
  w.wait_ms(200'000);
  const Outcome outcome = restored->apply({w.core.last_sequence() + 1, w.now, {}, Tick{}});
  w.ok(Tick{});
  std::vector<LeaseId> order;
  for (const Event& event : outcome.events)
    if (const auto* closing = std::get_if<LeaseClosing>(&event)) order.push_back(closing->lease);
  EXPECT_EQ(order, (std::vector<LeaseId>{second, first}));
  ASSERT_EQ(w.seen<LeaseClosing>().size(), 2u);
  EXPECT_EQ(w.seen<LeaseClosing>()[0].lease, second);
  EXPECT_EQ(restored->state_hash(), w.core.state_hash());
}

TEST_F(LeaseTest, AFailedJobIsAFailedLease) {
  const LeaseId id = funded();
  EXPECT_EQ(w.code(Close{{id, 0}, {}}), ErrorCode::conflict) << "its job is not over";
  auto last = w.status(id, 5, 0, 0);
  last.reason = "image_missing";
  w.wait_ms(500);
  w.ok(w.heartbeat(kProvider, {last}));
  w.ok(Close{{id, 0}, {}});
  w.finalize(id);
  check_settled(id, LeaseState::failed, "image_missing", 0);
}

TEST_F(LeaseTest, AFreeLeaseSettlesWithoutVouchers) {
  w.ok(w.ask(kOther, 0));
  const LeaseId id = matched();
  EXPECT_EQ(w.lease(id).escrow, 0u);
  w.accept(id);
  w.wait_ms(4000);
  w.beat(id, 4, 0, 4000);
  w.ok(Close{{id, 0}, {}});
  w.finalize(id);
  EXPECT_EQ(receipt_of(w.lease(id)).seconds_billed, 4u);
  EXPECT_EQ(w.lease(id).state, LeaseState::settled);
}

TEST_F(LeaseTest, WhatAProviderEarnsServesItsOwnStarvedBid) {
  const LeaseId id = funded();
  w.grant(party(kProvider), 1500);
  auto first = w.bid(kProvider, 10);
  auto second = w.bid(kProvider, 10);
  first.spec = second.spec = w.spec("", false);
  w.ok(first);
  const OrderId starved = w.ok(second).order;
  w.ok(w.ask(kOther, 10, 1, 2));
  ASSERT_EQ(w.seen<Matched>().size(), 2u) << "1,500 cover one of them";
  w.accept(w.seen<Matched>().back().lease);
  w.wait_ms(55'000);
  w.ok(w.heartbeat(kOther));
  w.beat(id, 4, 0, 55'000);
  w.ok(Close{{id, 0}, {}});
  ASSERT_EQ(w.seen<Matched>().size(), 2u);
  w.finalize(id);
  ASSERT_EQ(w.seen<Matched>().size(), 3u) << "544 more were earned";
  EXPECT_EQ(w.lease(w.seen<Matched>().back().lease).order, starved);
}

TEST_F(LeaseTest, AClosedLeaseIsKeptForSevenDays) {
  const LeaseId id = matched();
  w.tick(10'000);
  ASSERT_NE(w.core.find_lease(id), nullptr);
  w.tick(7 * 24 * 3600 * 1000ULL - 1);
  EXPECT_NE(w.core.find_lease(id), nullptr);
  w.tick(1);
  EXPECT_EQ(w.core.find_lease(id), nullptr);
  EXPECT_TRUE(w.core.leases_of(party(kBuyer)).empty());
}

TEST(LeaseLimits, WhoeverOpensAndCancelsWithoutEndTakesBoundedRoom) {
  Limits limits;
  limits.all_asks = 5;
  CoreWorld w(100, limits);
  w.grant(party(1), 1'000'000);
  w.ok(w.ask(2, 10));
  std::vector<LeaseId> all;
  for (int i = 0; i < 9; ++i) {
    all.push_back(w.ok(w.bid(1, 20)).leases.at(0));
    w.ok(RequestClose{{all.back(), 1, w.seconds() + 10, 0}, {}});
    w.wait_ms(1000);
  }
  const auto check = [&](const Exchange& core) {
    EXPECT_EQ(core.all_leases().size(), 5u);
    EXPECT_EQ(core.find_lease(all[3]), nullptr) << "the oldest go";
    EXPECT_NE(core.find_lease(all[4]), nullptr);
  };
  auto restored = Exchange::restore(w.core.encode(), {});
  ASSERT_TRUE(restored);
  w.tick(0);
  check(w.core);
  restored->apply(w.journal.back());
  check(*restored);
  EXPECT_EQ(restored->state_hash(), w.core.state_hash());
}

}  // namespace
}  // namespace mizan::exchange
