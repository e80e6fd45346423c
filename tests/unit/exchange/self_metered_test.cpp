// Leases that their buyers meter themselves: the exchange signs nothing for them.
#include "crypto/random.hpp"
#include "exchange/metering.hpp"
#include "exchange/receipt.hpp"
#include "exchange/verify.hpp"
#include "support/chain_world.hpp"

namespace mizan::exchange {
namespace {

using test::CoreWorld;
using test::party;

constexpr uint8_t kBuyer = 1;
constexpr uint8_t kProvider = 2;

SecretKey key_of(uint8_t n) {
  Hash32 seed;
  seed.bytes[31] = n;
  return *SecretKey::from_bytes(seed.view());
}

class SelfMeteredTest : public ::testing::Test {
 protected:
  SelfMeteredTest() {
    w.grant(party(kBuyer), 1'000'000);
    w.ok(w.ask(kProvider, 10));
  }
  PlaceBid bid() {
    PlaceBid out = w.bid(kBuyer, 20);
    out.bid.meter = meter.address();
    return out;
  }
  LeaseId funded() {
    const LeaseId id = w.ok(bid()).leases.at(0);
    w.accept(id);
    return id;
  }
  /// Its provider closes it: `ran` seconds are covered.
  LeaseId closing(uint64_t ran, uint64_t vouchered) {
    const LeaseId id = funded();
    w.wait_ms(ran * 1000);
    w.beat(id, 2, 0, ran * 1000);
    if (vouchered != 0) w.ok(voucher(id, vouchered));
    w.beat(id, 4, 0, ran * 1000);
    w.ok(Close{{id, vouchered - vouchered / 100}, {}});
    return id;
  }
  PostVoucher voucher(const LeaseId& id, u128 cumulative) {
    const eip712::Voucher message{id, cumulative};
    return {message, eip712::sign(w.domain, message, meter)};
  }
  void expect_paid(const LeaseId& id, u128 charged, uint64_t seconds) {
    const Lease& lease = w.lease(id);
    ASSERT_TRUE(lease.over());
    const eip712::Receipt receipt = receipt_of(lease);
    EXPECT_EQ(receipt.charged, charged);
    EXPECT_EQ(receipt.seconds_billed, seconds);
    EXPECT_EQ(receipt.charged + receipt.refunded, receipt.escrow);
    EXPECT_EQ(lease.vouchered, charged);
    EXPECT_TRUE(w.core.closing().empty());
    EXPECT_EQ(w.replayed().state_hash(), w.core.state_hash());
  }
  CoreWorld w;
  SecretKey meter = key_of(7);
};

TEST_F(SelfMeteredTest, TheLastVoucherSettlesIt) {
  const LeaseId id = closing(14, 50);
  EXPECT_TRUE(w.lease(id).closing);
  EXPECT_EQ(w.code(Finalize{id, 140, std::nullopt}), ErrorCode::conflict);
  EXPECT_EQ(w.code(voucher(id, 150)), ErrorCode::conflict);
  EXPECT_EQ(w.code(voucher(id, 105)), ErrorCode::invalid_argument);
  w.ok(voucher(id, 120));
  EXPECT_TRUE(w.lease(id).closing) << "a second's voucher is missing";
  w.ok(voucher(id, 140));
  EXPECT_EQ(w.lease(id).state, LeaseState::settled);
  expect_paid(id, 140, 14);
  EXPECT_EQ(w.code(voucher(id, 140)), ErrorCode::conflict);
}

TEST_F(SelfMeteredTest, WithoutItsBuyerItIsPaidAsVouchered) {
  const LeaseId id = closing(14, 50);
  w.tick(59'999);
  EXPECT_FALSE(w.lease(id).over());
  w.tick(1);
  EXPECT_EQ(w.lease(id).state, LeaseState::settled);
  expect_paid(id, 50, 5);
}

TEST_F(SelfMeteredTest, WithoutAnyVoucherNothingIsPaid) {
  const LeaseId id = closing(14, 0);
  w.tick(60'000);
  expect_paid(id, 0, 0);
}

TEST_F(SelfMeteredTest, WhatIsSignedAlreadyNeedsNoMore) {
  const LeaseId id = closing(14, 140);
  w.ok(Finalize{id, 140, std::nullopt});
  expect_paid(id, 140, 14);
}

TEST_F(SelfMeteredTest, AProviderMayNotAskForMoreThanIsSigned) {
  const LeaseId id = funded();
  w.wait_ms(10'000);
  w.beat(id, 4, 0, 10'000);
  w.ok(voucher(id, 50));
  EXPECT_EQ(w.code(Close{{id, 51}, {}}), ErrorCode::conflict);
  w.ok(Close{{id, 50}, {}});
}

TEST_F(SelfMeteredTest, ALostProviderIsPaidWhatTheBuyerSigns) {
  const LeaseId id = funded();
  w.wait_ms(5000);
  w.beat(id, 2, 0, 5000);
  w.tick(60'000);
  EXPECT_EQ(w.lease(id).reason, "provider_lost");
  EXPECT_FALSE(w.lease(id).over());
  w.ok(voucher(id, 50));
  expect_paid(id, 50, 5);
}

TEST_F(SelfMeteredTest, AnExchangeThatWasAwayWaitsAnew) {
  const LeaseId id = closing(14, 50);
  w.wait_ms(500'000);
  w.ok(Resume{});
  auto restored = Exchange::restore(w.core.encode());
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->next_deadline(), w.core.next_deadline());
  w.tick(59'999);
  EXPECT_FALSE(w.lease(id).over());
  w.tick(1);
  expect_paid(id, 50, 5);
}

TEST_F(SelfMeteredTest, TheExchangeSignsNothing) {
  const LeaseId id = funded();
  w.wait_ms(30'000);
  w.beat(id, 2, 0, 30'000);
  EXPECT_TRUE(w.core.due_vouchers().empty());
  w.ok(voucher(id, 300));
  EXPECT_TRUE(w.ok(voucher(id, 300)).repeated);
  EXPECT_EQ(w.seen<Vouchered>().size(), 1u);
  const eip712::Voucher message{id, 300};
  EXPECT_TRUE(verify(voucher(id, 300), w.core));
  EXPECT_FALSE(verify(PostVoucher{message, eip712::sign(w.domain, message, key_of(8))}, w.core));
  EXPECT_FALSE(verify(Finalize{id, 300, eip712::sign(w.domain, message, key_of(8))}, w.core));
}

TEST_F(SelfMeteredTest, ZeroAndTheClearanceKeyAreNoMeters) {
  PlaceBid zero = bid();
  zero.bid.meter = Address{};
  EXPECT_EQ(w.code(zero), ErrorCode::invalid_argument);
  PlaceBid clearance = bid();
  clearance.bid.meter = party(253);
  EXPECT_EQ(w.code(clearance), ErrorCode::invalid_argument);
}

/// On a chain, where the contract moves the money.
class SelfMeteredOnAChain : public ::testing::Test {
 protected:
  SelfMeteredOnAChain() {
    w.deposits(party(kBuyer), 1'000'000);
    w.ok(w.ask(kProvider, 10));
    PlaceBid bid = w.bid(kBuyer, 20);
    bid.bid.meter = party(77);
    id = w.ok(bid).leases.at(0);
    w.accept(id);
    w.opens(id);
    w.wait_ms(14'000);
    w.beat(id, 2, 0, 14'000);
    w.ok(PostVoucher{{id, 50}, {}});
  }
  void close() {
    w.beat(id, 4, 0, 14'000);
    w.ok(Close{{id, 0}, {}});
  }
  test::ChainWorld w;
  LeaseId id;
};

TEST_F(SelfMeteredOnAChain, TheLastVoucherGoesToTheContract) {
  close();
  EXPECT_TRUE(w.seen<CloseWanted>().empty());
  w.ok(PostVoucher{{id, 140}, {}});
  EXPECT_TRUE(w.lease(id).billed);
  EXPECT_EQ(w.seen<CloseWanted>().size(), 1u);
  w.check();
  w.sees({chain::Closed{id, 140, 1, 860}});
  EXPECT_EQ(receipt_of(w.lease(id)).charged, 140u);
  EXPECT_EQ(receipt_of(w.lease(id)).seconds_billed, 14u);
}

TEST_F(SelfMeteredOnAChain, WithoutItsBuyerTheContractPaysWhatIsSigned) {
  close();
  w.tick(60'000);
  EXPECT_TRUE(w.lease(id).billed);
  EXPECT_EQ(w.seen<CloseWanted>().size(), 1u);
  w.sees({chain::Closed{id, 50, 0, 950}});
  EXPECT_EQ(receipt_of(w.lease(id)).seconds_billed, 5u);
}

TEST_F(SelfMeteredOnAChain, WhoeverClosesItAtTheContractFixesTheBill) {
  close();
  w.sees({chain::Closed{id, 50, 0, 950}});
  EXPECT_EQ(w.lease(id).state, LeaseState::settled);
  EXPECT_EQ(receipt_of(w.lease(id)).seconds_billed, 5u);
  EXPECT_TRUE(w.core.closing().empty());
  w.tick(60'000);
  w.check();
}

TEST_F(SelfMeteredOnAChain, ALateWordMayNotAskForMoreThanIsSigned) {
  w.tick(61'000);
  ASSERT_EQ(w.lease(id).reason, "provider_lost");
  EXPECT_EQ(w.code(Close{{id, 51}, {}}), ErrorCode::conflict);
  w.ok(Close{{id, 50}, {}});
}

TEST_F(SelfMeteredOnAChain, NoVoucherIsTakenWhileTheChainIsAway) {
  w.ok(ChainAway{true});
  w.wait_ms(5'000);
  w.beat(id, 2, 0, 19'000);
  // The buyer may have stopped the lease there, so that nothing is behind what it signs.
  EXPECT_EQ(w.code(PostVoucher{{id, 190}, {}}), ErrorCode::unavailable);
  EXPECT_TRUE(w.seen<Vouchered>().empty() || w.seen<Vouchered>().back().cumulative == Money{50});
  w.ok(ChainAway{false});
  w.ok(PostVoucher{{id, 190}, {}});
}

TEST_F(SelfMeteredOnAChain, TheLastVoucherIsTakenWhileTheChainIsAway) {
  close();
  w.ok(ChainAway{true});
  w.ok(PostVoucher{{id, 140}, {}});
  EXPECT_TRUE(w.lease(id).billed);
}

// What a buyer's client makes of heartbeats, by its own clock.
class BuyerMeterTest : public ::testing::Test {
 protected:
  BuyerMeterTest() {
    terms.provider = provider.address();
    terms.rate = 10;
    terms.units_per_node = 2;
    terms.node_count = 1;
    terms.start = 1000;
    terms.seconds = 3600;
    terms.grace = 60;
    lease = eip712::digest(domain, terms);
  }
  eip712::Heartbeat beat(uint64_t ran_ms) {
    eip712::Heartbeat out{provider.address(), ++sequence, 0, {}};
    out.leases.resize(3);
    out.leases[0].lease.bytes[0] = 1;
    out.leases[1] = {lease, 2, 0, ran_ms, 0, "", {}};
    return out;
  }
  Result<void> hear(BuyerMeter& meter, const eip712::Heartbeat& heartbeat, uint64_t now_ms) {
    return meter.hear(domain, lease, seal(heartbeat), heartbeat.leases[1],
                      eip712::sign(domain, heartbeat, provider), UnixMs{now_ms});
  }
  eip712::Domain domain = eip712::Domain::credits({});
  SecretKey provider = key_of(9);
  eip712::Terms terms;
  LeaseId lease;
  uint64_t sequence = 0;
};

TEST_F(BuyerMeterTest, SignsForWhatIsCoveredByItsOwnClock) {
  BuyerMeter meter(terms, 60, UnixMs{1'000'000}, {});
  ASSERT_TRUE(hear(meter, beat(10'000), 1'010'000));
  EXPECT_EQ(meter.owed(~uint64_t{0}).nano, 200u);
  EXPECT_EQ(meter.owed(7).nano, 140u) << "the exchange bills less";
  ASSERT_TRUE(hear(meter, beat(3'000'000), 1'012'000));
  EXPECT_EQ(meter.owed(~uint64_t{0}).nano, 240u) << "no more than passed";
  ASSERT_TRUE(hear(meter, beat(3'000'000), 1'112'000));
  EXPECT_EQ(meter.owed(~uint64_t{0}).nano, 20u * 72) << "of a silence the grace";
  meter.stop(UnixMs{1'112'000});
  ASSERT_TRUE(hear(meter, beat(3'000'000), 1'120'000));
  EXPECT_EQ(meter.owed(~uint64_t{0}).nano, 20u * 72) << "nothing after the stop";
}

TEST_F(BuyerMeterTest, TakesUpAgainWhereItsVouchersEnd) {
  BuyerMeter meter(terms, 60, UnixMs{1'000'000}, Money{200});
  EXPECT_EQ(meter.owed(0).nano, 200u);
  ASSERT_TRUE(hear(meter, beat(500'000), 1'500'000));
  EXPECT_EQ(meter.owed(~uint64_t{0}).nano, 20u * 70) << "10 s signed for, and the grace";
  ASSERT_TRUE(hear(meter, beat(505'000), 1'505'000));
  EXPECT_EQ(meter.owed(~uint64_t{0}).nano, 20u * 75);
}

TEST_F(BuyerMeterTest, BelievesTheProviderAlone) {
  BuyerMeter meter(terms, 60, UnixMs{1'000'000}, {});
  const eip712::Heartbeat heartbeat = beat(10'000);
  const Signature good = eip712::sign(domain, heartbeat, provider);
  const UnixMs now{1'010'000};
  EXPECT_FALSE(meter.hear(domain, lease, seal(heartbeat), heartbeat.leases[1],
                          eip712::sign(domain, heartbeat, key_of(8)), now));
  eip712::Heartbeat others = heartbeat;
  others.provider = key_of(8).address();
  const auto another = meter.hear(domain, lease, seal(others), others.leases[1],
                                  eip712::sign(domain, others, key_of(8)), now);
  ASSERT_FALSE(another);
  EXPECT_EQ(another.error().message, "heartbeat.provider: is not the lease's provider");
  eip712::LeaseStatus more = heartbeat.leases[1];
  more.ran_ms += 1000;
  EXPECT_FALSE(meter.hear(domain, lease, seal(heartbeat), more, good, now));
  EXPECT_FALSE(meter.hear(domain, lease, seal(heartbeat), heartbeat.leases[0], good, now));
  EXPECT_EQ(meter.owed(~uint64_t{0}).nano, 0u);
  EXPECT_TRUE(meter.hear(domain, lease, seal(heartbeat), heartbeat.leases[1], good, now));
  EXPECT_EQ(meter.owed(~uint64_t{0}).nano, 200u);
  // The same heartbeat again does not make a silence shorter.
  EXPECT_TRUE(
      meter.hear(domain, lease, seal(heartbeat), heartbeat.leases[1], good, UnixMs{1'060'000}));
  ASSERT_TRUE(hear(meter, beat(3'000'000), 1'110'000));
  EXPECT_EQ(meter.owed(~uint64_t{0}).nano, 20u * 70);
}

}  // namespace
}  // namespace mizan::exchange
