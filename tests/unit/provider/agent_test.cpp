#include "codec/json_fields.hpp"
#include "expect.hpp"

#include <gtest/gtest.h>

namespace mizan::provider {
namespace {

using testing::expect_clean;
using testing::expect_done;
using testing::FakeLease;
using testing::over;
using testing::Running;
using testing::World;

TEST(Agent, RunsAJobFromMatchToReceipt) {
  World world;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  EXPECT_EQ(world.ask->units_per_node, 4U);
  EXPECT_EQ(world.ask->rate, 1'000'000U);
  EXPECT_EQ(world.ask->chip, "cpu");
  world.run_for(10);
  const LeaseId id = world.match();
  ASSERT_TRUE(world.run_until([&] { return over(world, id); }));
  expect_done(world, id);
  EXPECT_EQ(world.leases.at(id).phases, (std::vector<uint8_t>{1, 2, 3, 4}));
  EXPECT_EQ(world.prepares, 1U);
  EXPECT_EQ(world.uploads, 1U);
  EXPECT_LT(world.leases.at(id).status.staged_ms, 60U);
  EXPECT_EQ(world.agent->status().earned, Money{world.leases.at(id).vouchered});
  EXPECT_GT(world.leases.at(id).vouchered, 0U);
  EXPECT_TRUE(world.files.contains("receipt-" + hex(id.view())));
}

TEST(Agent, WaitsWhileAChainOpensTheLease) {
  const auto on_a_chain = [](World& world) {
    world.facts.chain = eip712::Domain::evm(31337, world.meter.address());
    world.opening_ms = 200'000;
  };
  Running r({}, on_a_chain);
  ASSERT_TRUE(r.world.run_until([&] { return over(r.world, r.id); }));
  expect_done(r.world, r.id);

  // A stop before the chain has opened it: it begins, and ends at once.
  World world({.runs_ms = 500'000});
  on_a_chain(world);
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const LeaseId id = world.match();
  world.run_for(100'000);
  EXPECT_EQ(world.leases.at(id).state, "opening");
  world.stop(id);
  ASSERT_TRUE(world.run_until([&] { return over(world, id); }));
  EXPECT_EQ(world.leases.at(id).status.reason, "buyer_stopped");
  EXPECT_EQ(world.leases.at(id).vouchered, 0U);
}

TEST(Agent, StopsAtTheBuyersWord) {
  Running r({.runs_ms = 500'000});
  r.world.run_for(5'000);
  r.world.stop(r.id);
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 10'000));
  EXPECT_EQ(r.lease().status.reason, "buyer_stopped");
  EXPECT_EQ(r.lease().status.exit_code, 0);
  EXPECT_FALSE(r.lease().status.outputs.is_zero()) << "what there is comes back";
  EXPECT_EQ(r.lease().state, "settled");
}

TEST(Agent, StopsWithTheJobsOwnSignalAndKillsAfterTheGrace) {
  Running r({.runs_ms = 500'000, .exits_after_ms = 400'000}, [](World& world) {
    world.job.checkpoint = job::Checkpoint{"/checkpoints", 0, "USR1"};
  });
  r.world.run_for(40'000);
  r.world.stop(r.id);
  r.world.run_for(20'000);
  ASSERT_EQ(r.world.jobs.at(r.id).signals, std::vector<std::string>{"USR1"});
  EXPECT_FALSE(r.world.jobs.at(r.id).killed);
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 15'000));
  EXPECT_EQ(r.lease().status.reason, "buyer_stopped");
  EXPECT_EQ(r.lease().status.exit_code, 137);
}

/// The time of stopping is not paid: a lease of seconds must not buy minutes of it.
TEST(Agent, AShortJobHasAShortTimeToStopIn) {
  Running r({.runs_ms = 500'000, .exits_after_ms = 400'000});
  r.world.stop(r.id);
  r.world.run_for(9'000);
  EXPECT_FALSE(r.world.jobs.at(r.id).killed);
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 3'000));
  EXPECT_EQ(r.lease().status.exit_code, 137);
}

TEST(Agent, AStopIsNotForgottenWithTheAgent) {
  Running r({.runs_ms = 500'000, .exits_after_ms = 400'000});
  r.world.run_for(40'000);
  r.world.stop(r.id);
  r.world.run_for(10'000);
  const uint64_t before = r.world.time_ms;
  r.world.restart_in(3'000);
  ASSERT_TRUE(r.world.run_until([&] { return r.world.agent && r.lease().over(); }, 60'000));
  EXPECT_LT(r.world.time_ms - before, 25'000U) << "the grace does not begin anew";
  EXPECT_EQ(r.lease().status.reason, "buyer_stopped");
}

TEST(Agent, KillsAtOnceWhereNobodyHearsTheSignal) {
  Running r({.runs_ms = 500'000, .hears_signals = false});
  r.world.stop(r.id);
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 1'000));
  EXPECT_EQ(r.lease().status.exit_code, 137);
}

TEST(Agent, EndsALeaseWhenItsTimeIsUp) {
  Running r({.runs_ms = 500'000}, [](World& world) { world.lease_seconds = 20; });
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 30'000));
  EXPECT_EQ(r.lease().status.reason, "time_up");
  EXPECT_LT(r.lease().status.ran_ms, 22'500U);
}

TEST(Agent, EndsAJobThatHasRunLongEnough) {
  Running r({.runs_ms = 500'000}, [](World& world) { world.job.max_seconds = 15; });
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 30'000));
  EXPECT_EQ(r.lease().status.reason, "max_duration");
}

TEST(Agent, AsksForCheckpointsOnTheirBeat) {
  Running r({.runs_ms = 500'000}, [](World& world) {
    world.job.checkpoint = job::Checkpoint{"/checkpoints", 10, "USR2"};
  });
  r.world.run_for(15'000);
  EXPECT_EQ(r.world.jobs.at(r.id).signals.size(), 1U);
  r.world.restart_in(2'000);
  r.world.run_for(20'000);
  EXPECT_EQ(r.world.jobs.at(r.id).signals, (std::vector<std::string>{"USR2", "USR2", "USR2"}));
}

TEST(Agent, StopsWhenTheExchangeIsAwayPastTheGrace) {
  Running r({.runs_ms = 500'000});
  r.world.run_for(20'000);
  r.world.exchange_up = false;
  r.world.cut();
  const uint64_t ran = r.world.time_ms - r.world.jobs.at(r.id).started_at;
  r.world.run_for(27'000);
  EXPECT_TRUE(r.world.jobs.at(r.id).signals.empty()) << "within the grace it runs on";
  r.world.run_for(10'000);
  EXPECT_EQ(r.world.jobs.at(r.id).phase, JobPhase::exited);
  r.world.exchange_up = true;
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 60'000));
  EXPECT_EQ(r.lease().status.reason, "agent_late");
  EXPECT_LE(r.lease().status.ran_ms, ran) << "past the last taken heartbeat nothing is billed";
  EXPECT_GE(r.lease().status.ran_ms + 2'100, ran);
  EXPECT_EQ(r.lease().state, "settled");
}

TEST(Agent, StopsAtItsReturnPastTheGrace) {
  Running r({.runs_ms = 500'000});
  r.world.run_for(20'000);
  r.world.restart_in(40'000);
  ASSERT_TRUE(r.world.run_until(
      [&] { return r.world.agent && r.world.jobs.empty() && r.lease().over(); }, 100'000));
  EXPECT_EQ(r.lease().state, "failed") << "the exchange has given it up before";
  EXPECT_EQ(r.lease().closed, 0);
  expect_clean(r.world);
}

TEST(Agent, StopsWithoutVouchers) {
  Running r({.runs_ms = 500'000});
  r.world.meter = World::key(9);  // signs, but is not the meter of the terms
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 100'000));
  EXPECT_EQ(r.lease().status.reason, "agent_late");
}

/// A buyer's own meter, which signs every ten seconds, for one second of so many.
std::function<void(World&)> metered_by_the_buyer(uint64_t one_in) {
  return [one_in](World& world) {
    world.meter = World::key(9);
    world.vouchers_tell_one_second_in = one_in;
    world.before_match = [&world](FakeLease& lease) {
      lease.bid.meter = lease.terms.meter = world.meter.address();
      lease.bid_signature = eip712::sign(world.facts.domain(), lease.bid, world.buyer);
    };
  };
}

TEST(Agent, StopsWhereABuyersOwnMeterPaysDropByDrop) {
  Running r({.runs_ms = 500'000}, metered_by_the_buyer(10));
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 400'000));
  EXPECT_EQ(r.lease().status.reason, "agent_late");
  const u128 paid = r.lease().vouchered / r.lease().terms.rate;
  const uint64_t most = r.world.grace + 2 * r.world.facts.voucher_interval_s;
  EXPECT_LE(u128{r.lease().status.ran_ms / 1000} - paid, u128{most + 5});
}

TEST(Agent, RunsOnWhileABuyersOwnMeterPays) {
  Running r({.runs_ms = 200'000}, metered_by_the_buyer(1));
  ASSERT_TRUE(r.world.run_until([&] { return over(r.world, r.id); }));
  expect_done(r.world, r.id);
}

TEST(Agent, AVoucherThatIsToldAgainBuysNoTime) {
  Running r({.runs_ms = 500'000});
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().vouchered != 0; }, 100'000));
  const eip712::Voucher last{r.id, r.lease().vouchered};
  const json::object again{
      {"type", "voucher"},
      {"voucher", to_json(last)},
      {"signature", to_json(eip712::sign(r.world.facts.domain(), last, r.world.meter))}};
  r.world.meter = World::key(9);  // and no other comes
  for (int i = 0; i < 25 && !r.lease().over(); ++i) {
    r.world.run_for(4'000);
    r.world.tell(again);
  }
  EXPECT_EQ(r.lease().status.reason, "agent_late");
}

TEST(Agent, IsNotLateWhereTheExchangesClockWasSetPastTheEnd) {
  Running r({.runs_ms = 500'000});
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().vouchered != 0; }, 100'000));
  r.world.wall_offset_ms += 24 * 3'600'000;
  r.world.meter = World::key(9);  // it pays no more
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 200'000));
  EXPECT_EQ(r.lease().status.reason, "time_up");
}

TEST(Agent, JudgesByTheExchangesClockAloneWhoWasLate) {
  Running r({.runs_ms = 500'000});
  r.world.meter = World::key(9);
  r.world.run_for(46'000);  // of the fifty that it waits for a voucher
  r.world.exchange_up = false;
  r.world.wall_offset_ms += 24 * 3'600'000;  // its own clock is wrong
  r.world.restart_in(6'000);
  r.world.run_for(12'000);
  ASSERT_TRUE(r.world.agent);
  EXPECT_EQ(r.world.jobs.size(), 1U) << "the grace is not over";
  EXPECT_EQ(r.lease().status.phase, 2);
  r.world.wall_offset_ms -= 24 * 3'600'000;
  r.world.exchange_up = true;
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 100'000));
  EXPECT_EQ(r.lease().status.reason, "agent_late");
}

}  // namespace
}  // namespace mizan::provider
