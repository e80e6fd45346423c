#include "service/time_keeper.hpp"

#include "service/world.hpp"

namespace mizan::service {
namespace {

TEST(TimeKeeper, FollowsTheClockAhead) {
  ManualClock clock;
  TimeKeeper time(clock, UnixMs{0});
  EXPECT_EQ(time.now(), clock.now());
  clock.pass(1234);
  EXPECT_EQ(time.now(), clock.now());
  EXPECT_FALSE(time.take_jump());
}

TEST(TimeKeeper, StartsWhereTheJournalEnded) {
  ManualClock clock;
  const UnixMs later{clock.wall + 10'000};
  TimeKeeper time(clock, later);
  EXPECT_EQ(time.now(), later);
  clock.pass(1000);
  EXPECT_EQ(time.now().ms, later.ms + 500);  // slower until the clock has caught up
  clock.pass(30'000);
  EXPECT_EQ(time.now(), clock.now());
}

TEST(TimeKeeper, NeverGoesBackAndNeverStandsStill) {
  ManualClock clock;
  TimeKeeper time(clock, UnixMs{0});
  const UnixMs before = time.now();
  clock.wall -= 3'600'000;
  EXPECT_EQ(time.now(), before);
  EXPECT_EQ(time.take_jump(), -3'600'000);
  UnixMs last = before;
  for (int i = 0; i < 1000; ++i) {
    clock.pass(3);
    const UnixMs now = time.now();
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_EQ(last.ms, before.ms + 1500);
  EXPECT_FALSE(time.take_jump());  // told once
}

TEST(TimeKeeper, TellsAJumpAhead) {
  ManualClock clock;
  TimeKeeper time(clock, UnixMs{0});
  clock.pass(1000);
  clock.wall += 60'000;
  EXPECT_EQ(time.now(), clock.now());
  EXPECT_EQ(time.take_jump(), 60'000);
  clock.pass(100'000);  // asleep with both clocks is no jump
  time.now();
  EXPECT_FALSE(time.take_jump());
}

TEST(TimeKeeper, FollowsNoLeapAndComesBackFromIt) {
  ManualClock clock;
  TimeKeeper time(clock, UnixMs{0});
  const UnixMs before = time.now();
  const uint64_t month = uint64_t{30} * 24 * 3'600'000;
  clock.wall += month;
  EXPECT_EQ(time.now(), before);
  EXPECT_EQ(time.take_jump(), static_cast<int64_t>(month));
  clock.pass(1'000);
  EXPECT_EQ(time.now().ms, before.ms + 1'000) << "by the monotonic clock";
  EXPECT_EQ(time.astray_ms(), month);
  EXPECT_FALSE(time.take_jump()) << "told once";
  clock.wall -= month;
  EXPECT_EQ(time.now(), clock.now());
  EXPECT_EQ(time.astray_ms(), 0U);
  EXPECT_FALSE(time.take_jump());
  clock.wall += month;
  EXPECT_EQ(TimeKeeper(clock, before).now(), clock.now()) << "a start believes the wall";
}

TEST(TimeKeeper, TellsAJumpAheadThatEndsAStepBack) {
  ManualClock clock;
  TimeKeeper time(clock, UnixMs{0});
  clock.wall -= 40'000;
  const UnixMs before = time.now();
  EXPECT_EQ(time.take_jump(), -40'000);
  clock.pass(1'000);
  clock.wall += 100'000;  // 60 s beyond where it was: deadlines would fall due all at once
  EXPECT_EQ(time.now().ms, before.ms + 61'000);
  EXPECT_EQ(time.take_jump(), 60'000);
  // To catch up is no jump.
  clock.wall -= 10'000;
  time.now();
  time.take_jump();
  for (int i = 0; i < 300; ++i) {
    clock.pass(100);
    time.now();
  }
  EXPECT_EQ(time.now(), clock.now());
  EXPECT_FALSE(time.take_jump());
}

}  // namespace
}  // namespace mizan::service
