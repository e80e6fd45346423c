#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"
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

u128 a_second(const FakeLease& lease) {
  return lease.terms.rate * lease.terms.node_count * lease.terms.units_per_node;
}

/// A contract stops a lease at its block, and vouchers came until that was seen.
TEST(Agent, AsksForWhatTheContractPaysWhereItsVouchersSayMore) {
  const auto closes = [](bool on_chain, u128 less_seconds) {
    Running r({.runs_ms = 500'000}, [on_chain](World& world) {
      if (on_chain) world.facts.chain = eip712::Domain::evm(31337, world.meter.address());
    });
    r.world.run_until([&] { return r.lease().vouchered > 400 * a_second(r.lease()); });
    EXPECT_GT(r.lease().vouchered, 400 * a_second(r.lease()));
    r.world.pays = r.lease().vouchered * 9 / 10 - less_seconds * a_second(r.lease());
    r.world.stop(r.id);
    const bool closed = r.world.run_until([&] { return r.lease().closed > 0; }, 120'000);
    EXPECT_TRUE(!closed || r.lease().min_paid == *r.world.pays);
    return closed;
  };
  EXPECT_TRUE(closes(true, 0));
  EXPECT_FALSE(closes(true, 360)) << "a chain is not unheard for so long";
  EXPECT_FALSE(closes(false, 0)) << "credits pay what they signed";
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

}  // namespace
}  // namespace mizan::provider
