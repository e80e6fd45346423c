// Bills of leases that the contract stops earlier than the exchange hears of it: docs/LEASE.md.
#include "support/chain_world.hpp"

namespace mizan::exchange {
namespace {

using test::ChainWorld;
using test::party;

constexpr uint8_t kBuyer = 1;
constexpr uint8_t kProvider = 2;

class ChainBoundTest : public ::testing::Test {
 protected:
  ChainBoundTest() {
    w.deposits(party(kBuyer), 1'000'000);
    w.ok(w.ask(kProvider, 10));
  }
  ~ChainBoundTest() override { w.check(); }
  LeaseId opening() {
    const LeaseId id = w.ok(w.bid(kBuyer, 20)).leases.at(0);
    w.accept(id);
    return id;
  }
  /// Open for ten seconds, all of them covered and vouchered: 100 nano-USD.
  LeaseId running() {
    const LeaseId id = opening();
    w.opens(id);
    opened = w.seconds();
    w.wait_ms(10'000);
    w.beat(id, 2, 0, 10'000);
    w.ok(PostVoucher{{id, 100}, {}});
    return id;
  }
  ChainFact stop_after(const LeaseId& id, uint64_t seconds) {
    return chain::CloseRequested{id, opened + seconds, 1000 - 10 * seconds};
  }
  std::string paid_of_refusal(const LeaseId& id, u128 min_paid) {
    const auto outcome = w.apply(Close{{id, min_paid}, {}});
    if (outcome.answer) return "it was taken";
    return outcome.answer.error().details.at("paid");
  }
  EndWants wants(const LeaseId& id) { return end_wants(w.lease(id), w.mirror(), 86'400); }
  ChainWorld w;
  uint64_t opened = 0;
};

TEST_F(ChainBoundTest, NothingIsBilledPastTheContractsStop) {
  const LeaseId id = running();
  w.ok(StopSeen{id, opened + 7});
  EXPECT_EQ(w.lease(id).stopped_at.ms, w.lease(id).opened_at.ms + 7'000);
  EXPECT_EQ(w.lease(id).seconds_billed(), 7u);
  w.wait_ms(2'000);
  w.beat(id, 4, 0, 12'000);
  EXPECT_EQ(w.lease(id).seconds_billed(), 7u);
  EXPECT_EQ(paid_of_refusal(id, 99), "69") << "what the vouchers say is above the contract's bound";
  w.sees({stop_after(id, 7)});
  w.ok(Close{{id, 69}, {}});
  EXPECT_EQ(w.seen<LeaseClosing>().back().cumulative.nano, 70u);
  w.finalize(id);
  EXPECT_EQ(w.lease(id).vouchered, 70u) << "the voucher is the bill, and what the contract pays";
  EXPECT_TRUE(wants(id).close);
  w.sees({chain::Closed{id, 70, 0, 0}});
  EXPECT_EQ(w.lease(id).state, LeaseState::settled);
  EXPECT_EQ(w.lease(id).settlement.charged, 70u);
  EXPECT_EQ(w.lease(id).final_charge, 70u);
}

/// Its bill is signed, and its close on the way, when the stop is deep enough to be heard.
TEST_F(ChainBoundTest, ABillThatWasSignedBeforeTheStopIsHeardIsLowered) {
  const LeaseId id = running();
  w.beat(id, 4, 0, 10'000);
  w.ok(Close{{id, 99}, {}});
  w.finalize(id);
  ASSERT_EQ(w.core.settling().size(), 1u);
  w.sees({stop_after(id, 8)});
  EXPECT_TRUE(w.core.settling().empty());
  EXPECT_EQ(w.core.closing().size(), 1u);
  EXPECT_FALSE(w.lease(id).close) << "the contract would refuse it";
  w.check();
  EXPECT_EQ(w.code(Finalize{id, 100, Signature{}}), ErrorCode::conflict);
  EXPECT_EQ(paid_of_refusal(id, 99), "79");
  w.ok(Close{{id, 79}, {}});
  w.finalize(id);
  EXPECT_EQ(w.lease(id).vouchered, 80u);
  EXPECT_TRUE(wants(id).close);
  w.sees({chain::Closed{id, 80, 0, 0}});
  EXPECT_EQ(w.lease(id).state, LeaseState::settled);
  EXPECT_EQ(w.seen<LeaseClosed>().size(), 1u);
}

TEST_F(ChainBoundTest, AStopAtTheOpeningLeavesNothingToPay) {
  const LeaseId id = running();
  w.sees({stop_after(id, 0)});
  EXPECT_EQ(w.lease(id).seconds_billed(), 0u);
  w.beat(id, 4, 0, 10'000);
  w.ok(Close{{id, 0}, {}});
  w.finalize(id);
  EXPECT_EQ(w.lease(id).vouchered, 0u);
  w.sees({chain::Closed{id, 0, 0, 0}});
  EXPECT_EQ(w.lease(id).settlement.charged, 0u);
}

TEST_F(ChainBoundTest, AProviderThatIsLostIsBilledNoMoreEither) {
  const LeaseId id = running();
  w.ok(StopSeen{id, opened + 6});
  w.tick(60'000);
  EXPECT_EQ(w.lease(id).reason, "provider_lost");
  EXPECT_EQ(w.lease(id).final_charge, 60u);
}

/// The contract's clock began later than the exchange's: it ends at the same second.
TEST_F(ChainBoundTest, AnOpeningByAClockThatIsAheadIsBilledToItsEnd) {
  const LeaseId id = opening();
  opened = w.seconds() + 5;
  w.sees({chain::Opened{id, 1000, opened}});
  w.wait_ms(50'000);
  w.beat(id, 2, 0, 50'000);
  EXPECT_EQ(w.lease(id).seconds_billed(), 50u);
  w.wait_ms(50'000);
  w.beat(id, 4, 0, 100'000);
  const uint64_t most = w.lease(id).terms.start + 100 - opened;
  EXPECT_EQ(w.lease(id).seconds_billed(), most);
  EXPECT_LT(most, 100u);
}

/// A buyer's own voucher can't be lowered: what it signed beyond the bound is not billed.
TEST_F(ChainBoundTest, OfABuyersOwnMeterTheBoundIsTheBill) {
  PlaceBid bid = w.bid(kBuyer, 20);
  bid.bid.meter = party(9);
  const LeaseId id = w.ok(bid).leases.at(0);
  w.accept(id);
  w.opens(id);
  opened = w.seconds();
  w.wait_ms(10'000);
  w.beat(id, 4, 0, 10'000);
  w.ok(PostVoucher{{id, 100}, {}});
  w.ok(StopSeen{id, opened + 7});
  EXPECT_EQ(paid_of_refusal(id, 99), "69");
  w.ok(Close{{id, 69}, {}});
  w.ok(Finalize{id, 70, std::nullopt});
  EXPECT_TRUE(w.lease(id).billed);
  EXPECT_EQ(w.lease(id).seconds_billed(), 7u);
  w.sees({stop_after(id, 7)});
  EXPECT_TRUE(wants(id).close);
}

TEST_F(ChainBoundTest, ABuyersOwnMetersBillThatWaitsIsLoweredToo) {
  PlaceBid bid = w.bid(kBuyer, 20);
  bid.bid.meter = party(9);
  const LeaseId id = w.ok(bid).leases.at(0);
  w.accept(id);
  w.opens(id);
  opened = w.seconds();
  w.wait_ms(10'000);
  w.beat(id, 4, 0, 10'000);
  w.ok(PostVoucher{{id, 70}, {}});
  w.ok(Close{{id, 69}, {}});
  ASSERT_FALSE(w.lease(id).billed);
  w.sees({stop_after(id, 7)});
  EXPECT_TRUE(w.lease(id).billed) << "what is signed is all that the contract pays";
  EXPECT_EQ(w.lease(id).final_charge, 70u);
  EXPECT_TRUE(wants(id).close);
}

}  // namespace
}  // namespace mizan::exchange
