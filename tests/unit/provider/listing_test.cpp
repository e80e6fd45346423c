// The one ask that an agent has open, whatever becomes of it at the exchange or on the disk.
#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"
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

TEST(Listing, ListsAnewWhatGaveWayToOthers) {
  World world;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  const eip712::Ask first = *world.ask;
  const auto tell = [&](const OrderId& ask) {
    world.tell({{"type", "ask_ended"}, {"ask", to_json(ask)}, {"reason", "displaced"}});
  };
  tell(OrderId{{9}});  // an earlier one
  world.run_for(10'000);
  EXPECT_EQ(world.ask->nonce, first.nonce);
  tell(eip712::digest(world.facts.domain(), first));
  ASSERT_TRUE(world.run_until([&] { return world.ask->nonce > first.nonce; }, 20'000));
  const uint64_t second = world.ask->nonce;
  world.run_for(20'000);
  EXPECT_EQ(world.ask->nonce, second);
  const LeaseId id = world.match();
  ASSERT_TRUE(world.run_until([&] { return over(world, id); }));
  EXPECT_EQ(world.rejects, 0U);
}

/// The exchange counts what leases of this ask use, and does not know that those of an earlier one
/// are on the same machine.
TEST(Listing, OffersNoUnitThatALeaseOfAnEarlierAskUses) {
  World world({.runs_ms = 120'000});
  world.job.cores = 3;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const uint32_t all = world.ask->units_per_node;
  const LeaseId first = world.match();
  const auto ended_by_a_listing = [&] {
    const uint64_t nonce = world.ask->nonce;
    world.ask_error = Error{ErrorCode::replayed, "was cancelled", {}};
    world.run_for(65'000);
    world.ask_error.reset();
    return world.run_until([&] { return world.ask->nonce > nonce; }, 20'000);
  };
  ASSERT_TRUE(ended_by_a_listing());
  EXPECT_EQ(world.ask->units_per_node, all - 3);
  world.job.cores = 1;
  const LeaseId second = world.match();
  ASSERT_TRUE(world.run_until([&] { return over(world, first); }));
  EXPECT_FALSE(over(world, second));
  // What is free again is offered once nothing of the ask's own is in the way.
  const uint64_t nonce = world.ask->nonce;
  world.run_for(30'000);
  EXPECT_FALSE(over(world, second));
  EXPECT_EQ(world.ask->nonce, nonce);
  ASSERT_TRUE(world.run_until([&] { return over(world, second); }));
  ASSERT_TRUE(world.run_until([&] { return world.ask->units_per_node == all; }, 70'000));
  EXPECT_EQ(world.rejects, 0U) << world.last_reject;
}

class NoFiles final : public Store {
 public:
  Result<void> put(const std::string&, std::string_view, Durability) override { return {}; }
  Result<std::optional<std::string>> get(const std::string&) override {
    return std::optional<std::string>{};
  }
  Result<void> remove(const std::string&) override { return {}; }
  Result<std::vector<std::string>> names() override { return std::vector<std::string>{}; }
};

/// Where leases end one by one, each new ask would make those that run an earlier one's.
TEST(Listing, KeepsAnAskWhoseLeasesRunAndGrowsItOnceInAWhile) {
  NoFiles store;
  const SecretKey key = SecretKey::generate();
  Listing listing(store, eip712::Domain::credits(keccak256("id")), key);
  Offer offer;
  offer.capacity = {8, 8, 8};
  offer.attributes = "{}";
  uint64_t now = 1'800'000'000;
  ASSERT_TRUE(listing.refresh(offer, now));
  const OrderId first = listing.id();
  offer.rate = Rate{2};
  std::map<OrderId, uint32_t> taken{{first, 6}};
  ASSERT_TRUE(listing.refresh(offer, now, taken));
  const OrderId second = listing.id();
  EXPECT_EQ(listing.ask().units_per_node, 2u);
  taken = {{first, 3}, {second, 1}};
  EXPECT_FALSE(listing.refresh(offer, now += 60, taken).value());
  EXPECT_FALSE(listing.refresh(offer, now += 3'000, {{second, 1}}).value());
  EXPECT_EQ(listing.id(), second);
  // A machine that is never empty offers the rest all the same, and nothing where it is full.
  EXPECT_FALSE(listing.refresh(offer, now + 600, {{first, 6}, {second, 2}}).value());
  EXPECT_TRUE(listing.refresh(offer, now += 600, {{first, 3}, {second, 1}}).value());
  const OrderId third = listing.id();
  EXPECT_EQ(listing.ask().units_per_node, 4u);
  EXPECT_FALSE(listing.refresh(offer, now, {{second, 1}, {third, 4}}).value());
  EXPECT_TRUE(listing.refresh(offer, now, {{second, 1}}).value());
  EXPECT_EQ(listing.ask().units_per_node, 7u);
  // More than there is room for is mended at once.
  EXPECT_TRUE(listing.refresh(offer, now, {{first, 2}, {listing.id(), 1}}).value());
  EXPECT_EQ(listing.ask().units_per_node, 5u);
}

TEST(Listing, ListsNothingWhileAnEarlierAsksLeaseUsesEveryUnit) {
  World world({.runs_ms = 120'000});
  world.job.cores = world.config.offer.capacity.units;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const eip712::Ask old = *world.ask;
  const LeaseId id = world.match();
  world.run_for(1'000);
  world.kill_agent();
  world.config.offer.rate = Rate{2'000'000};
  world.boot();
  world.run_for(20'000);
  EXPECT_EQ(world.ask->nonce, old.nonce);
  ASSERT_TRUE(world.run_until([&] { return over(world, id); }));
  ASSERT_TRUE(world.run_until([&] { return world.ask->nonce > old.nonce; }, 20'000));
  EXPECT_EQ(world.ask->rate, 2'000'000U);
  EXPECT_EQ(world.ask->units_per_node, old.units_per_node);
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
