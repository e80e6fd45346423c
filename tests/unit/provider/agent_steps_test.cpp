// Rule 7 by brute force: something goes wrong at each step of a lease, one run after the other.
#include "expect.hpp"

#include <gtest/gtest.h>

#include <iostream>

namespace mizan::provider {
namespace {

using testing::expect_done;
using testing::over;
using testing::World;

/// The steps of an undisturbed run, from the match on: where something can go wrong.
uint64_t steps_of_a_run() {
  World world;
  world.boot();
  world.run_until([&] { return world.listed(); });
  world.run_for(10);
  world.steps = 0;
  const LeaseId id = world.match();
  world.run_until([&] { return over(world, id) && world.jobs.empty(); });
  return world.steps;
}

/// Disturbs a run at each of its steps in turn, and expects that nobody can tell afterwards.
void disturb_each_step(const std::function<void(World&)>& disturb, uint64_t at_most_prepares) {
  const uint64_t steps = steps_of_a_run();
  ASSERT_GT(steps, 40U);
  for (uint64_t step = 1; step <= steps; ++step) {
    SCOPED_TRACE("disturbed at step " + std::to_string(step));
    World world;
    world.boot();
    ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
    world.run_for(10);
    world.steps = 0;
    world.on_step = [&](uint64_t now) {
      if (now == step) disturb(world);
    };
    const LeaseId id = world.match();
    ASSERT_TRUE(world.run_until([&] { return over(world, id) && world.agent; })) << "not finished";
    expect_done(world, id);
    EXPECT_LE(world.prepares, at_most_prepares);
    if (::testing::Test::HasFailure()) {
      for (const Notice& notice : world.notices) std::cerr << notice.text << "\n";
      return;
    }
  }
}

TEST(AgentSteps, SurvivesItsDeathAtEveryStep) {
  disturb_each_step([](World& world) { world.restart_in(500); }, 2);
}
TEST(AgentSteps, SurvivesALongerDeathAtEveryStep) {
  disturb_each_step([](World& world) { world.restart_in(7'000); }, 2);
}
TEST(AgentSteps, SurvivesALostConnectionAtEveryStep) {
  disturb_each_step([](World& world) { world.cut(); }, 1);
}
TEST(AgentSteps, TakesEachMessageTwiceLikeOnce) {
  disturb_each_step([](World& world) { world.duplicate_next(); }, 1);
}
TEST(AgentSteps, SurvivesAnExchangeThatIsAwayAtEveryStep) {
  disturb_each_step(
      [](World& world) {
        world.exchange_up = false;
        world.cut();
        const uint64_t back = world.time_ms + 6'000;
        world.on_step = [&world, back](uint64_t) {
          if (world.time_ms >= back) world.exchange_up = true;
        };
      },
      1);
}

}  // namespace
}  // namespace mizan::provider
