#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"
#include "expect.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mizan::provider {
namespace {

using testing::expect_clean;
using testing::expect_done;
using testing::FakeLease;
using testing::over;
using testing::Script;
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

/// A world with a job that runs.
struct Running {
  World world;
  LeaseId id;
  explicit Running(Script script = {}, const std::function<void(World&)>& change = {})
      : world(script) {
    if (change) change(world);
    world.boot();
    world.run_until([&] { return world.listed(); });
    world.run_for(10);
    id = world.match();
    world.run_until([&] { return world.leases.at(id).status.phase == 2; });
  }
  FakeLease& lease() { return world.leases.at(id); }
};

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

TEST(Agent, GivesUpWhatTheExchangeHasEnded) {
  Running r({.runs_ms = 500'000});
  r.world.cut();
  r.world.leases.at(r.id).state = "failed";
  ASSERT_TRUE(r.world.run_until([&] { return r.world.jobs.empty(); }, 20'000));
  expect_clean(r.world);
}

TEST(Agent, ReportsALeaseOfWhichNothingIsHere) {
  Running r;
  r.world.kill_agent();
  r.world.files.clear();
  r.world.jobs.clear();
  r.world.boot();
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 20'000));
  EXPECT_EQ(r.lease().status.phase, 5);
  EXPECT_EQ(r.lease().status.reason, "agent_lost_it");
  EXPECT_EQ(r.lease().state, "failed");
  expect_clean(r.world);
}

/// A chain settles it in its own time, a day perhaps: its machine serves the next lease meanwhile.
TEST(Agent, MakesRoomOnceItsCloseIsTaken) {
  Running r({.runs_ms = 5'000}, [](World& world) {
    world.job.cores = 3;
    world.closing_ms = 600'000;
  });
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().closed == 1; }));
  const LeaseId next = r.world.match();
  ASSERT_TRUE(r.world.run_until([&] { return r.world.leases.at(next).closed == 1; }, 60'000));
  EXPECT_FALSE(r.lease().over());
  EXPECT_EQ(r.world.starts, 2U);
  // The voucher is kept until the money is there; and the agent may die meanwhile.
  r.world.restart_in(1'000);
  ASSERT_TRUE(r.world.run_until([&] { return over(r.world, next); }, 1'000'000));
  EXPECT_EQ(r.lease().state, "settled");
  r.world.run_for(1'000);
  expect_clean(r.world);
}

TEST(Agent, ClosesWhatTheExchangeGaveUpWhileItWasAway) {
  Running r({.runs_ms = 500'000});
  r.world.cut();
  r.lease().closing = true;
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over() && r.world.jobs.empty(); }, 60'000));
  EXPECT_EQ(r.lease().closed, 1);
  EXPECT_EQ(r.lease().status.reason, "agent_late");
  expect_clean(r.world);
}

TEST(Agent, ReportsALeaseThatItLostWhileItOpenedOnceItIsFunded) {
  World world({.runs_ms = 5'000});
  world.opening_ms = 20'000;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const LeaseId id = world.match();
  ASSERT_TRUE(world.run_until([&] { return world.leases.at(id).state == "opening"; }));
  world.kill_agent();
  world.files.clear();
  world.jobs.clear();
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.leases.at(id).over(); }, 60'000));
  EXPECT_EQ(world.leases.at(id).status.reason, "agent_lost_it");
  world.run_for(1'000);
  expect_clean(world);
}

TEST(Agent, ClosesALeaseThatItForgotWhenItIsToStop) {
  Running r({.runs_ms = 5'000});
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }));
  r.world.run_for(1'000);
  // Over at the exchange, and it opened on the chain after all.
  FakeLease opened;
  opened.terms = r.lease().terms;
  opened.state = "funded";
  opened.closing = true;
  r.lease() = opened;
  r.world.tell({{"type", "stop"}, {"lease", to_json(r.id)}, {"reason", "not_opened"}});
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 20'000));
  EXPECT_EQ(r.lease().status.reason, "agent_lost_it");
  r.world.run_for(1'000);
  expect_clean(r.world);
}

TEST(Agent, NeverRunsAJobTwiceThatTheMachineHasLost) {
  Running r;
  r.world.kill_agent();
  r.world.jobs.clear();
  r.world.config.boot_id = "boot-2";
  r.world.boot();
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 20'000));
  EXPECT_EQ(r.lease().status.reason, "job_lost");
  EXPECT_EQ(r.world.starts, 1U);
}

TEST(Agent, NeverRunsAJobTwiceThoughAnOldRecordOfItComesBack) {
  World world({.runs_ms = 60'000});
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const LeaseId id = world.match();
  const std::string name = "lease-" + hex(id.view());
  std::string before;  // the last that was written before its job was started
  ASSERT_TRUE(world.run_until(
      [&] {
        const auto record = decode_record(world.files[name]);
        if (record && !record->start_asked) before = world.files[name];
        return world.starts == 1;
      },
      20'000));
  ASSERT_FALSE(before.empty());
  world.run_for(3'000);
  world.kill_agent();
  world.jobs.clear();
  world.files[name] = world.synced.contains(name) ? world.synced[name] : before;
  world.config.boot_id = "boot-2";
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return over(world, id); }, 40'000));
  EXPECT_EQ(world.starts, 1U);
  EXPECT_EQ(world.leases.at(id).status.reason, "job_lost");
}

TEST(Agent, RemembersWhyItStoppedAJobThoughAnOldRecordOfItComesBack) {
  Running r;
  r.world.stop(r.id);
  ASSERT_TRUE(
      r.world.run_until([&] { return r.world.jobs.at(r.id).phase == JobPhase::exited; }, 20'000));
  r.world.kill_agent();
  const std::string name = "lease-" + hex(r.id.view());
  ASSERT_TRUE(r.world.synced.contains(name));
  r.world.files[name] = r.world.synced[name];
  r.world.config.boot_id = "boot-2";
  r.world.boot();
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 40'000));
  EXPECT_EQ(r.lease().status.reason, "buyer_stopped");
}

TEST(Agent, RemovesAJobWithoutALease) {
  World world;
  world.jobs[sha256("nobody's")].phase = JobPhase::running;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.jobs.empty(); }, 1'000));
}

TEST(Agent, TurnsDownWhatItCannotPrepare) {
  World world;
  world.prepare_error = Error{ErrorCode::invalid_argument, "the image is damaged", {}};
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const LeaseId id = world.match();
  ASSERT_TRUE(world.run_until([&] { return over(world, id); }, 20'000));
  // The acceptance was on its way already, so it ends as a lease that failed.
  EXPECT_EQ(world.leases.at(id).status.reason, "prepare_failed");
  EXPECT_EQ(world.starts, 0U);
  ASSERT_TRUE(world.run_until([&] { return world.agent->status().leases.empty(); }, 1'000));
  expect_clean(world);
}

TEST(Agent, TriesAgainWhatIsOnlyUnavailable) {
  World world;
  world.prepare_error = Error{ErrorCode::unavailable, "no artifact yet", {}};
  world.upload_error = Error{ErrorCode::unavailable, "full", {}};
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const LeaseId id = world.match();
  world.run_for(3'000);
  EXPECT_GT(world.prepares, 2U);
  world.prepare_error.reset();
  ASSERT_TRUE(world.run_until([&] { return world.uploads > 2; }));
  EXPECT_EQ(world.leases.at(id).status.phase, 3);
  world.upload_error.reset();
  ASSERT_TRUE(world.run_until([&] { return over(world, id); }));
  expect_done(world, id);
}

TEST(Agent, LosesNoOutputsWhenAClockIsSetDuringTheirUpload) {
  Running r({.exit_code = 0}, [](World& world) {
    world.upload_error = Error{ErrorCode::expired, "signed more than 60 s away", {}};
  });
  ASSERT_TRUE(r.world.run_until([&] { return r.world.uploads > 1; }));
  r.world.upload_error.reset();
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }));
  EXPECT_FALSE(r.lease().status.outputs.is_zero());
}

TEST(Agent, LosesNoLogWhileTheExchangesDiskIsFull) {
  Running r;
  r.world.run_for(5'000);
  r.world.log_error = Error{ErrorCode::io_error, "cannot write: No space left on device", {}};
  r.world.run_for(3'000);
  r.world.log_error.reset();
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }));
  EXPECT_EQ(r.lease().log, r.world.full_log());
}

TEST(Agent, SendsTheLogAgainThatTheExchangesDiskHasLost) {
  Running r;
  r.world.lost_log = true;
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }));
  EXPECT_EQ(r.lease().log, r.world.full_log());
}

TEST(Agent, ClosesWithoutALogThatNobodyTakes) {
  Running r;
  r.world.run_for(5'000);
  r.world.log_error = Error{ErrorCode::limit_exceeded, "the logs of all leases fill the disk", {}};
  EXPECT_TRUE(r.world.run_until([&] { return r.lease().closed > 0; }, 900'000));
}

TEST(Agent, LooksAfterItsJobsThoughItsDiskIsFull) {
  Running r;
  r.world.store_error = Error{ErrorCode::io_error, "No space left on device", {}};
  r.world.kill_agent();
  r.world.boot();
  EXPECT_TRUE(r.world.run_until([&] { return r.lease().over(); }, 60'000));
}

TEST(Agent, SaysThatOutputsAreLost) {
  Running r({.exit_code = 0}, [](World& world) {
    world.collect_error = Error{ErrorCode::too_large, "more than 10 GB", {}};
  });
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }));
  EXPECT_TRUE(r.lease().status.outputs.is_zero());
  EXPECT_EQ(r.lease().status.exit_code, 0);
}

TEST(Agent, StartsNothingWithoutAGoodClearance) {
  for (int fault = 0; fault < 2; ++fault) {
    World world;
    if (fault == 0) world.clearance = World::key(9);
    if (fault == 1) world.clearance_seconds = static_cast<uint64_t>(-5);
    world.boot();
    ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
    world.run_for(10);
    const LeaseId id = world.match();
    ASSERT_TRUE(world.run_until([&] { return over(world, id); }, 20'000));
    EXPECT_EQ(world.starts, 0U);
    EXPECT_EQ(world.leases.at(id).status.reason,
              fault == 0 ? "clearance_invalid" : "clearance_expired");
  }
}

TEST(Agent, StartsNoJobWhoseRecordCannotBeWritten) {
  World world({.runs_ms = 5'000});
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const LeaseId id = world.match();
  ASSERT_TRUE(world.run_until([&] { return world.prepares == 1; }));
  world.store_error = Error{ErrorCode::io_error, "No space left on device", {}};
  world.run_for(5'000);
  EXPECT_EQ(world.starts, 0U);
  world.store_error.reset();
  ASSERT_TRUE(world.run_until([&] { return over(world, id); }));
  EXPECT_EQ(world.leases.at(id).state, "settled");
  EXPECT_EQ(world.starts, 1U);
}

TEST(Agent, SellsNoUnitTwice) {
  Running r({.runs_ms = 20'000}, [](World& world) { world.job.cores = 3; });
  const LeaseId second = r.world.match();
  ASSERT_TRUE(r.world.run_until([&] { return over(r.world, second); }, 1'000));
  EXPECT_EQ(r.world.last_reject, "conflict: terms.unitsPerNode: so many units are not free");
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over() && r.world.jobs.empty(); }));
  r.world.run_for(10);
  r.world.starts = 0;
  const LeaseId third = r.world.match();
  ASSERT_TRUE(r.world.run_until([&] { return over(r.world, third); }));
  EXPECT_EQ(r.world.leases.at(third).state, "settled");
}

TEST(Agent, TakesTheNextLeaseWhileTheLastOneMakesRoom) {
  Running r({.runs_ms = 5'000}, [](World& world) { world.job.cores = 3; });
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().status.phase == 4; }));
  // The exchange closes it and sells its units at once: the match overtakes the word of the end.
  const LeaseId next = r.world.match();
  ASSERT_TRUE(r.world.run_until([&] { return over(r.world, next); }));
  EXPECT_EQ(r.world.rejects, 0U) << r.world.last_reject;
  EXPECT_EQ(r.world.leases.at(next).state, "settled");
  EXPECT_EQ(r.world.starts, 2U);
}

TEST(Agent, TakesTheNextLeaseWhenAMatchWasUndoneWhileItsContainerWasMade) {
  World world({.runs_ms = 5'000});
  world.job.cores = 3;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const LeaseId undone = world.match();
  ASSERT_TRUE(world.run_until([&] { return world.prepares == 1; }));
  world.end_lease(undone, "failed", "policy_changed");
  const LeaseId next = world.match();
  ASSERT_TRUE(world.run_until([&] { return over(world, next); }));
  EXPECT_EQ(world.rejects, 0U) << world.last_reject;
  EXPECT_EQ(world.leases.at(next).state, "settled");
  EXPECT_EQ(world.starts, 1U);
}

TEST(Agent, KeepsItsAskAndReplacesAChangedOne) {
  World world;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(100);
  const auto first = *world.ask;
  world.kill_agent();
  world.ask.reset();
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  EXPECT_EQ(eip712::digest(world.facts.domain(), *world.ask),
            eip712::digest(world.facts.domain(), first));
  EXPECT_TRUE(world.cancelled.empty());
  world.run_for(100);
  world.kill_agent();
  world.ask.reset();
  world.config.offer.rate = Rate{2'000'000};
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return !world.cancelled.empty(); }));
  EXPECT_EQ(world.ask->rate, 2'000'000U);
  EXPECT_GT(world.ask->nonce, first.nonce);
  EXPECT_EQ(world.cancelled[0], eip712::digest(world.facts.domain(), first));
}

TEST(Agent, NumbersItsHeartbeatsUpwardsEvenWhenTheClockStepsBack) {
  World world;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.heartbeats > 3; }));
  world.kill_agent();
  world.wall_offset_ms -= 3'600'000;
  world.boot();
  const uint64_t before = world.heartbeats;
  ASSERT_TRUE(world.run_until([&] { return world.heartbeats > before + 3; }));
}

TEST(Agent, ReconnectsWithPatience) {
  World world;
  world.exchange_up = false;
  world.boot();
  world.run_for(60'000);
  EXPECT_TRUE(world.agent);
  world.exchange_up = true;
  const uint64_t before = world.time_ms;
  ASSERT_TRUE(world.run_until([&] { return world.connects == 1; }));
  EXPECT_LE(world.time_ms - before, 5'100U);
}

TEST(Agent, IsNotMovedByNonsense) {
  Running r;
  const std::string lease = hex0x(r.id.view());
  const std::vector<std::string> nonsense = {
      "",
      "null",
      "[]",
      "{}",
      "{\"type\":7}",
      "{\"type\":\"reboot\"}",
      "{\"type\":\"stop\",\"lease\":\"0x12\",\"reason\":\"x\"}",
      "{\"type\":\"stop\",\"lease\":\"" + lease + "\",\"reason\":\"\"}",
      "{\"type\":\"stop\",\"lease\":\"" + lease + "\",\"reason\":\"x\",\"now\":true}",
      "{\"type\":\"closed\",\"lease\":\"" + lease + "\",\"receipt\":{}}",
      "{\"type\":\"log_ok\",\"lease\":\"" + lease + "\",\"size\":-1}",
      "{\"type\":\"reply\",\"id\":1e9}",
      "{\"type\":\"welcome\",\"timeMs\":1,\"leases\":[{}]}",
      "{\"type\":\"error\",\"code\":\"x\",\"message\":\"y\",\"details\":{\"a\":1}}",
      std::string(2'000'000, ' '),
      std::string(5'000, '['),
  };
  for (const std::string& text : nonsense) r.world.agent->on_text(text);
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }));
  expect_done(r.world, r.id);
}

TEST(Agent, HearsFirstWhatBecameOfAnAcceptanceBeforeItGivesUp) {
  World world;
  world.grace = 200;
  world.clearance_seconds = 600;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const LeaseId id = world.match();
  ASSERT_TRUE(world.run_until([&] { return world.leases.at(id).funded > 0; }));
  world.restart_in(90'000);  // and never heard that it was funded
  ASSERT_TRUE(world.run_until([&] { return over(world, id); }));
  EXPECT_EQ(world.leases.at(id).state, "settled") << world.leases.at(id).status.reason;
}

TEST(Agent, TellsWhyALeaseNeverOpened) {
  World world;
  world.opening_ms = 200'000;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const LeaseId id = world.match();
  ASSERT_TRUE(world.run_until([&] { return world.leases.at(id).state == "opening"; }));
  world.run_for(1'000);
  world.end_lease(id, "failed", "insufficient_balance");
  world.run_for(1'000);
  const auto told =
      std::count_if(world.notices.begin(), world.notices.end(), [](const Notice& notice) {
        return notice.text.find("never opened (insufficient_balance)") != std::string::npos;
      });
  EXPECT_EQ(told, 1);
  expect_clean(world);
}

TEST(Agent, IgnoresAReceiptThatTheExchangeDidNotSign) {
  Running r;
  eip712::Receipt receipt;
  receipt.lease = r.id;
  receipt.paid = 1;
  r.world.tell(
      {{"type", "closed"},
       {"lease", to_json(r.id)},
       {"receipt", to_json(receipt)},
       {"signature", to_json(eip712::sign(r.world.facts.domain(), receipt, World::key(9)))}});
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }));
  expect_done(r.world, r.id);
}

TEST(Agent, TellsOfARuleThatKeptABidAway) {
  Running r;
  const auto told = [&] {
    return std::count_if(r.world.notices.begin(), r.world.notices.end(), [](const Notice& notice) {
      return notice.text.find("PROHIBITED us.sanctions.embargo (sanctions): No.") !=
             std::string::npos;
    });
  };
  const json::object message{{"type", "policy"},
                             {"ask", to_json(Hash32{{1}})},
                             {"order", to_json(Hash32{{2}})},
                             {"held", false},
                             {"rule", "us.sanctions.embargo"},
                             {"head", "sanctions"},
                             {"outcome", "PROHIBITED"},
                             {"sentence", "No."},
                             {"missing", ""}};
  r.world.tell(message);
  r.world.tell(message);  // a buyer who tries again and again fills no log
  ASSERT_TRUE(r.world.run_until([&] { return r.lease().over(); }));
  EXPECT_EQ(told(), 1);
  expect_done(r.world, r.id);
}

}  // namespace
}  // namespace mizan::provider
