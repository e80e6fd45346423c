#include "codec/json_fields.hpp"
#include "expect.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mizan::provider {
namespace {

using testing::expect_clean;
using testing::expect_done;
using testing::over;
using testing::Running;
using testing::World;

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
