// The one ask that an agent has open, whatever becomes of it at the exchange or on the disk.
#include "expect.hpp"

#include <gtest/gtest.h>

namespace mizan::provider {
namespace {

using testing::over;
using testing::World;

TEST(Listing, ListsAnewWhatTheExchangeHasEnded) {
  World world;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  const eip712::Ask first = *world.ask;
  const OrderId first_id = eip712::digest(world.facts.domain(), first);
  // The provider was on a list: its ask is gone, and the same one is not taken again.
  world.ask_error = Error{ErrorCode::replayed, "is above that of every ask that was cancelled", {}};
  world.run_for(65'000);
  world.ask_error.reset();
  ASSERT_TRUE(world.run_until([&] { return world.ask->nonce > first.nonce; }, 20'000));
  EXPECT_TRUE(world.run_until([&] { return !world.cancelled.empty(); }, 20'000));
  EXPECT_EQ(world.cancelled, std::vector<OrderId>{first_id});
  const LeaseId id = world.match();
  ASSERT_TRUE(world.run_until([&] { return over(world, id); }));
  EXPECT_EQ(world.rejects, 0U);
}

TEST(Listing, ListsNothingThatItWouldForget) {
  World world;
  world.boot();
  world.store_error = Error{ErrorCode::io_error, "No space left on device", {}};
  world.run_for(20'000);
  EXPECT_FALSE(world.listed());
  world.store_error.reset();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }, 20'000));
  const eip712::Ask kept = *world.ask;
  world.restart_in(1'000);
  world.run_for(10'000);
  EXPECT_EQ(eip712::digest(world.facts.domain(), *world.ask),
            eip712::digest(world.facts.domain(), kept));
}

TEST(Listing, CancelsWhatItHasForgotten) {
  World world;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  const eip712::Ask old = *world.ask;
  const OrderId old_id = eip712::digest(world.facts.domain(), old);
  world.kill_agent();
  world.files["ask.json"] = "{";
  world.run_for(5'000);  // asks are numbered by the second
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.ask->nonce != old.nonce; }, 20'000));
  world.before_match = [&](testing::FakeLease& lease) { lease.terms.ask_hash = old_id; };
  world.match();
  ASSERT_TRUE(world.run_until([&] { return !world.cancelled.empty(); }, 20'000));
  EXPECT_EQ(world.cancelled, std::vector<OrderId>{old_id});
  EXPECT_EQ(world.rejects, 1U);
}

TEST(Listing, JudgesAClearanceByTheExchangesTimeOfNow) {
  World world;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  // The exchange's clock was set back, and its time goes on at half the speed.
  for (int i = 0; i < 70; ++i) {
    world.run_for(2'000);
    world.wall_offset_ms -= 1'000;
  }
  const LeaseId id = world.match();
  ASSERT_TRUE(world.run_until([&] { return over(world, id); }));
  EXPECT_EQ(world.leases.at(id).state, "settled") << world.leases.at(id).status.reason;
}

}  // namespace
}  // namespace mizan::provider
