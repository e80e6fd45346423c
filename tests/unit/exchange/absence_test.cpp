// What is billed of a time in which the exchange heard nothing, and while its clock was wrong.
#include "support/core_world.hpp"

namespace mizan::exchange {
namespace {

using test::CoreWorld;
using test::party;

class AbsenceTest : public ::testing::Test {
 protected:
  AbsenceTest() {
    w.grant(party(1), 1'000'000);
    w.ok(w.ask(2, 10));
  }
  LeaseId opened(uint64_t max_seconds) {
    auto bid = w.bid(1, 20, 1, 1, max_seconds);
    const LeaseId id = w.ok(bid).leases.front();
    w.accept(id);
    return id;
  }
  /// 80 s of the exchange's time in which its clock, set back, goes at half the speed of the job's.
  LeaseId opened_under_a_slow_clock() {
    const LeaseId id = opened(1000);
    for (uint64_t i = 1; i <= 80; ++i) {
      w.wait_ms(1000);
      w.beat(id, 2, 0, i * 2000);
    }
    EXPECT_EQ(w.lease(id).covered_ms, 80'000u) << "never more than the exchange's own time";
    return id;
  }
  CoreWorld w;
};

TEST_F(AbsenceTest, OneHeartbeatAfterAnAbsenceIsBilledTheGraceAtMost) {
  const LeaseId id = opened(10'000);
  w.wait_ms(2000);
  w.beat(id, 2, 0, 2000);
  w.wait_ms(1'000'000);
  w.ok(Resume{});
  w.beat(id, 2, 0, 900'000);
  EXPECT_EQ(w.lease(id).covered_ms, 62'000u);
  w.wait_ms(2000);
  w.beat(id, 2, 0, 902'000);
  EXPECT_EQ(w.lease(id).covered_ms, 64'000u) << "what was cut off does not come back";
}

TEST_F(AbsenceTest, WhatTheClockHeldBackIsBilledOnceItCatchesUp) {
  const LeaseId id = opened_under_a_slow_clock();
  w.wait_ms(60'000);  // set ahead again, by no more than the grace
  w.ok(Resume{});
  w.beat(id, 2, 0, 162'000);
  EXPECT_EQ(w.lease(id).covered_ms, 140'000u);
  EXPECT_EQ(w.lease(id).forfeited_ms, 0u);
  w.wait_ms(24'000);
  w.beat(id, 2, 0, 164'000);
  EXPECT_EQ(w.lease(id).covered_ms, 164'000u) << "what was told before is billed now";
}

TEST_F(AbsenceTest, OfALeapOfTheClockOnlyTheGraceIsBilled) {
  const LeaseId id = opened_under_a_slow_clock();
  w.wait_ms(100'000);  // by more than the grace: from an absence it is not to be told
  w.ok(Resume{});
  w.beat(id, 2, 0, 162'000);
  EXPECT_EQ(w.lease(id).forfeited_ms, 40'000u);
  EXPECT_EQ(w.lease(id).covered_ms, 140'000u);
}

/// A provider that claims more than it ran, at each heartbeat or after the absence.
struct Liar {
  const char* name;
  uint64_t each_beat_ms;  ///< claimed at a heartbeat, of which there is one in two seconds
  uint64_t at_once_ms;    ///< claimed by the first one after the absence
  uint64_t after_ms;      ///< claimed by each of two hundred more, a tenth of a second apart
  uint64_t billed_ms;
};

class LiarTest : public ::testing::TestWithParam<Liar> {
 protected:
  CoreWorld w;
};

TEST_P(LiarTest, AnAbsenceOfTheExchangeIsBilledTheGraceAtMost) {
  const Liar& liar = GetParam();
  w.grant(party(1), 100'000'000'000);
  w.ok(w.ask(2, 10));
  auto bid = w.bid(1, 20, 1, 1, 7'200);
  const LeaseId id = w.ok(bid).leases.front();
  w.accept(id);
  uint64_t ran_ms = 0;
  for (int i = 0; i < 300; ++i) {
    w.wait_ms(2'000);
    w.beat(id, 2, 0, ran_ms += liar.each_beat_ms);
  }
  EXPECT_EQ(w.lease(id).covered_ms, 600'000u);
  w.wait_ms(3'600'000);
  w.ok(Resume{});
  w.beat(id, 2, 0, ran_ms += liar.at_once_ms);
  for (int i = 0; liar.after_ms != 0 && i < 200; ++i) {
    w.wait_ms(100);
    w.beat(id, 2, 0, ran_ms += liar.after_ms);
  }
  EXPECT_EQ(w.lease(id).covered_ms, liar.billed_ms);
}

INSTANTIATE_TEST_SUITE_P(Lies, LiarTest,
                         ::testing::Values(Liar{"leaps", 2'000, 3'600'000, 0, 660'000},
                                           Liar{"saves", 62'000, 2'000, 0, 660'000},
                                           Liar{"creeps", 2'000, 60'000, 60'000, 680'000}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace mizan::exchange
