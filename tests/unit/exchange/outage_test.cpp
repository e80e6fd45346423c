// Whoever vanishes, and however long: what the other side loses is at most rate x units x (one
// voucher interval and the lease's grace), in credits.
#include "support/core_world.hpp"

namespace mizan::exchange {
namespace {

using test::CoreWorld;
using test::party;

constexpr uint8_t kBuyer = 1;
constexpr uint8_t kProvider = 2;
constexpr uint64_t kRate = 10;
constexpr uint64_t kUnits = 4;
constexpr uint64_t kIntervalS = 10;
constexpr uint64_t kGraceS = 60;
constexpr uint64_t kBeatMs = 2000;
constexpr uint64_t kSeconds = 10'000;
constexpr uint64_t kEscrow = kRate * kUnits * kSeconds;
constexpr uint64_t kMostLost = kRate * kUnits * (kIntervalS + kGraceS);
constexpr uint64_t kFor10Days = 10ULL * 24 * 3600 * 1000;

/// A provider that beats every two seconds and an exchange that signs vouchers.
class OutageTest : public ::testing::Test {
 protected:
  OutageTest() : w(0) {  // no fee, so that paid is charged
    w.grant(party(kBuyer), kEscrow);
    w.ok(w.ask(kProvider, kRate, 1, kUnits));
    id = w.ok(w.bid(kBuyer, 20, 1, kUnits, kSeconds)).leases.at(0);
    w.accept(id);
    run(100);
    EXPECT_EQ(w.lease(id).vouchered, kRate * kUnits * 100);
  }
  /// The job runs, is told of and vouched for.
  void run(uint64_t seconds) {
    for (const uint64_t end = ran_ms + seconds * 1000; ran_ms < end;) {
      w.wait_ms(kBeatMs);
      ran_ms += kBeatMs;
      w.beat(id, 2, 0, ran_ms);
      vouch();
    }
  }
  void vouch() {
    for (const Lease* due : w.core.due_vouchers())
      w.ok(PostVoucher{{due->id, due->terms.rate * due->units() * due->seconds_billed()}, {}});
  }
  u128 worked() const { return u128{kRate * kUnits} * (ran_ms / 1000); }
  u128 paid() const { return w.core.account(party(kProvider)).earned.nano; }
  u128 left() const { return w.core.account(party(kBuyer)).balance.nano; }
  CoreWorld w;
  LeaseId id;
  uint64_t ran_ms = 0;
};

TEST_F(OutageTest, AProviderThatVanishesCostsTheBuyerNothing) {
  w.tick(kFor10Days);
  ASSERT_TRUE(w.lease(id).closing);
  w.finalize(id);
  EXPECT_EQ(w.lease(id).reason, "provider_lost");
  EXPECT_EQ(paid(), worked());
  EXPECT_EQ(left(), kEscrow - worked()) << "all of the rest is back";
}

TEST_F(OutageTest, AProviderThatLiesAboutItsAbsenceIsPaidTheGraceAtMost) {
  w.wait_ms(kGraceS * 1000 - 1);
  ran_ms += kGraceS * 1000 - 1;
  w.beat(id, 2, 0, ran_ms + kFor10Days);
  const uint64_t covered = w.lease(id).covered_ms;
  w.tick(kFor10Days);
  w.finalize(id);
  EXPECT_EQ(paid(), u128{kRate * kUnits} * (covered / 1000));
  EXPECT_LE(paid() - kRate * kUnits * 100, kMostLost);
}

TEST_F(OutageTest, ABuyerThatVanishesCostsTheProviderNothing) {
  run(kSeconds - 100);  // nobody is asked anything
  w.wait_ms(1000);
  w.beat(id, 4, 0, ran_ms);
  const u128 whole = kEscrow - kRate * kUnits;  // it opened half a second after its start
  w.ok(Close{{id, whole}, {}});
  w.finalize(id);
  EXPECT_EQ(paid(), whole);
}

TEST_F(OutageTest, ADeadMeterCostsTheProviderAnIntervalAndTheGraceAtMost) {
  // The exchange, which is the meter, is away; the agent works on for the grace and then stops.
  const u128 before = w.lease(id).vouchered;
  ran_ms += kGraceS * 1000;
  w.wait_ms(kFor10Days);
  w.ok(Resume{});
  w.beat(id, 4, 0, ran_ms);  // the agent tells how long it ran by its own clock
  w.ok(Close{{id, 0}, {}});
  w.finalize(id);
  EXPECT_LE(worked() - paid(), kMostLost);
  EXPECT_EQ(paid(), worked()) << "the grace is billed once the exchange is back";
  EXPECT_EQ(left(), kEscrow - paid());
  EXPECT_LE(paid() - before, kMostLost) << "and the buyer pays no more than that for it";
}

TEST_F(OutageTest, AMeterThatNeverComesBackCostsWhatItLastSaid) {
  // What an exchange that lost its heartbeats knows is its last voucher.
  const u128 last = w.lease(id).vouchered;
  ran_ms += (kIntervalS + kGraceS) * 1000;
  w.wait_ms(kFor10Days);
  w.ok(Resume{});
  w.tick(kFor10Days);  // neither side comes back to it
  w.finalize(id);
  EXPECT_EQ(paid(), last);
  EXPECT_LE(worked() - paid(), kMostLost);
  EXPECT_EQ(left(), kEscrow - last);
}

}  // namespace
}  // namespace mizan::exchange
