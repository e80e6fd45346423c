// A market whose places for asks are all taken: who gives way, who is sure of a place, and that
// what is known of strangers is bounded.
#include "exchange/places.hpp"

#include "support/core_world.hpp"

namespace mizan::test {
namespace {

using namespace exchange;

constexpr uint8_t kHonest = 1;
constexpr uint8_t kBuyer = 2;
constexpr uint8_t kFirstOfMany = 100;

Limits places(uint32_t all) {
  Limits limits;
  limits.all_asks = all;
  return limits;
}

class PlacesTest : public testing::Test {
 protected:
  void fill(CoreWorld& w, uint8_t first, int providers, int asks) {
    for (int p = 0; p < providers; ++p)
      for (int a = 0; a < asks; ++a) w.ok(w.ask(static_cast<uint8_t>(first + p), 10));
  }
  size_t asks_of(const CoreWorld& w, uint8_t provider) {
    return w.core.asks_of(party(provider)).size();
  }
  /// A lease of the provider that ends well.
  void earn(CoreWorld& w, uint8_t provider) {
    const OrderId ask = w.ok(w.ask(provider, 1)).order;
    w.grant(party(kBuyer), 1'000'000);
    const LeaseId lease = w.ok(w.bid(kBuyer, 1)).leases.front();
    ASSERT_EQ(w.lease(lease).terms.provider, party(provider));
    w.accept(lease);
    w.wait_ms(2000);
    w.beat(lease, 4, 0, 2000);
    w.ok(Close{{lease, 0}, {}});
    w.finalize(lease);
    ASSERT_EQ(w.lease(lease).state, LeaseState::settled);
    w.ok(CancelAsk{{party(provider), ask}, {}});
  }
  std::vector<AskChanged> displaced(const CoreWorld& w) {
    std::vector<AskChanged> out;
    for (const AskChanged& event : w.seen<AskChanged>())
      if (event.change == AskChange::displaced) out.push_back(event);
    return out;
  }
  /// What is derived is derived anew from a snapshot: both do the same from here on.
  void expect_same_after_restore(CoreWorld& w, const Command& next) {
    auto restored = Exchange::restore(w.core.encode());
    ASSERT_TRUE(restored) << restored.error().message;
    w.apply(next);
    restored->apply(w.journal.back());
    EXPECT_EQ(restored->state_hash(), w.core.state_hash());
    EXPECT_EQ(w.replayed().state_hash(), w.core.state_hash());
  }
};

TEST_F(PlacesTest, AnAskTakesAPlaceForEachKiB) {
  eip712::Ask ask;
  ask.nodes = 1;
  EXPECT_EQ(places_of(ask, ""), 1U);
  EXPECT_EQ(places_of(ask, std::string(1020, 'x')), 1U);
  EXPECT_EQ(places_of(ask, std::string(1021, 'x')), 2U);
  ask.nodes = 1024;
  EXPECT_EQ(places_of(ask, std::string(size_t{12} * 1024, 'x')), 16U);
}

TEST_F(PlacesTest, WhoWasSilentLongestGivesWay) {
  CoreWorld w(100, places(6));
  fill(w, kFirstOfMany, 1, 3);
  w.wait_ms(5000);
  fill(w, kFirstOfMany + 1, 1, 3);
  w.tick(31'000);  // both are silent, the first for longer
  const OrderId mine = w.ok(w.ask(kHonest, 10)).order;
  EXPECT_EQ(asks_of(w, kFirstOfMany), 2U);
  EXPECT_EQ(asks_of(w, kFirstOfMany + 1), 3U);
  ASSERT_EQ(displaced(w).size(), 1U);
  EXPECT_EQ(displaced(w)[0].provider, party(kFirstOfMany));
  EXPECT_TRUE(w.core.find_ask(mine)->live);
  expect_same_after_restore(w, w.ask(kHonest, 10));
  EXPECT_EQ(asks_of(w, kFirstOfMany), 1U);
}

TEST_F(PlacesTest, OfTheLiveWhoHoldsMostGivesWayAndNobodyIsLeftWithoutAPlace) {
  CoreWorld w(100, places(8));
  fill(w, kFirstOfMany, 1, 5);
  fill(w, kFirstOfMany + 1, 1, 3);
  for (int i = 0; i < 2; ++i) w.ok(w.ask(kHonest, 10));
  EXPECT_EQ(asks_of(w, kFirstOfMany), 3U);
  EXPECT_EQ(asks_of(w, kFirstOfMany + 1), 3U);
  EXPECT_EQ(asks_of(w, kHonest), 2U);
  EXPECT_EQ(w.code(w.ask(kHonest, 10)), ErrorCode::limit_exceeded)
      << "two would take turns at displacing each other";
  EXPECT_EQ(w.code(w.ask(kFirstOfMany, 10)), ErrorCode::limit_exceeded);
  EXPECT_EQ(asks_of(w, kHonest), 2U);
  expect_same_after_restore(w, w.ask(kHonest + 10, 10));
  EXPECT_EQ(asks_of(w, kHonest + 10), 1U);
}

TEST_F(PlacesTest, AFloodOfFreeKeysTakesNoPlaceOfWhoIsLive) {
  CoreWorld w(100, places(20));
  const OrderId mine = w.ok(w.ask(kHonest, 10)).order;
  // A key each second, with as many asks as it gets: some thirty of them are live at a time.
  for (int i = 0; i < 150; ++i) {
    const auto key = static_cast<uint8_t>(kFirstOfMany + i);
    for (int a = 0; a < 3; ++a) w.apply(w.ask(key, 5));
    w.wait_ms(1000);
    if (i % 2 == 0) w.ok(w.heartbeat(kHonest));
    ASSERT_TRUE(w.core.find_ask(mine)) << i;
    ASSERT_TRUE(w.core.find_ask(mine)->live) << i;
  }
  EXPECT_GT(displaced(w).size(), 50U);
  w.ok(CancelAsk{{party(kHonest), mine}, {}});
  w.apply(w.ask(kFirstOfMany, 5));
  w.wait_ms(31'000);  // they are silent: whoever comes has a place
  w.ok(w.ask(kHonest, 10));
  const auto restored = Exchange::restore(w.core.encode());
  EXPECT_EQ(restored->state_hash(), w.replayed().state_hash());
}

TEST_F(PlacesTest, AnAskWithALeaseStays) {
  CoreWorld w(100, places(2));
  w.grant(party(kBuyer), 1'000'000);
  w.ok(w.ask(kHonest, 20));
  const OrderId leased = w.ok(w.ask(kHonest, 10)).order;  // the newer one
  const LeaseId lease = w.ok(w.bid(kBuyer, 10)).leases.front();
  w.accept(lease);
  w.wait_ms(31'000);  // its provider is silent, its lease is within its grace
  w.ok(w.ask(kFirstOfMany, 10));
  EXPECT_TRUE(w.core.find_ask(leased));
  EXPECT_EQ(asks_of(w, kHonest), 1U);
  EXPECT_EQ(w.code(w.ask(kFirstOfMany + 1, 10)), ErrorCode::limit_exceeded);
  expect_same_after_restore(w, w.ask(kFirstOfMany + 1, 10));
  EXPECT_EQ(w.core.live_leases(), 1U);
  w.tick(30'000);  // provider_lost: its units are free
  EXPECT_TRUE(w.lease(lease).closing);
  w.ok(w.ask(kFirstOfMany + 2, 10));
  EXPECT_FALSE(w.core.find_ask(leased));
  w.finalize(lease);
  EXPECT_TRUE(w.lease(lease).over());
  EXPECT_EQ(w.replayed().state_hash(), w.core.state_hash());
}

TEST_F(PlacesTest, ARecordIsSureOfThreeQuartersAndStrangersOfAQuarter) {
  CoreWorld w(100, places(8));
  earn(w, kHonest);
  fill(w, kFirstOfMany, 8, 1);
  for (int i = 0; i < 6; ++i) w.ok(w.ask(kHonest, 10));  // live strangers with one ask each go too
  EXPECT_EQ(asks_of(w, kHonest), 6U);
  EXPECT_EQ(w.code(w.ask(kHonest, 10)), ErrorCode::limit_exceeded) << "two are the strangers'";
  w.tick(31'000);
  fill(w, kFirstOfMany + 20, 2, 1);
  EXPECT_EQ(asks_of(w, kHonest), 6U) << "silent, and no stranger takes them";
  fill(w, kFirstOfMany + 30, 1, 0);
  EXPECT_EQ(w.code(w.ask(kFirstOfMany + 30, 10)), ErrorCode::limit_exceeded);
  expect_same_after_restore(w, w.ask(kHonest, 10));

  CoreWorld v(100, places(8));
  earn(v, kHonest);
  for (int i = 0; i < 8; ++i) v.ok(v.ask(kHonest, 10));
  v.ok(v.ask(kFirstOfMany, 10));
  v.ok(v.ask(kFirstOfMany + 1, 10));
  EXPECT_EQ(asks_of(v, kHonest), 6U) << "what strangers left free, until they came";
  EXPECT_EQ(v.code(v.ask(kFirstOfMany + 2, 10)), ErrorCode::limit_exceeded);
  EXPECT_EQ(asks_of(v, kHonest), 6U);
}

TEST_F(PlacesTest, ALongAskTakesSeveralPlacesOrNone) {
  CoreWorld w(100, places(6));
  fill(w, kFirstOfMany, 2, 3);
  PlaceAsk wide = w.ask(kHonest, 10, 1024);  // 4 KiB of nodes: five places with its attributes
  const Hash32 before = w.core.state_hash();
  EXPECT_EQ(w.code(wide), ErrorCode::limit_exceeded);
  EXPECT_NE(before, w.core.state_hash()) << "the sequence counts on";
  EXPECT_TRUE(displaced(w).empty()) << "a refused command displaces nobody";
  w.tick(31'000);
  w.ok(wide);
  EXPECT_EQ(displaced(w).size(), 5U);
  EXPECT_EQ(asks_of(w, kFirstOfMany) + asks_of(w, kFirstOfMany + 1), 1U);
}

TEST_F(PlacesTest, WhatGaveWayIsNotListedAgainByWhoeverKeptIt) {
  CoreWorld w(100, places(1));
  const PlaceAsk old = w.ask(kFirstOfMany, 10);
  w.ok(old);
  w.tick(31'000);
  w.ok(w.ask(kHonest, 10));
  EXPECT_EQ(w.code(old), ErrorCode::replayed);
}

TEST_F(PlacesTest, WhoIsHeardWhileItIsSetAsideLosesItsAsksLater) {
  CoreWorld w(100, places(2));
  w.grant(party(kBuyer), 1'000'000);
  w.ok(w.ask(kHonest, 10));
  for (uint8_t buyer = 30; buyer < 38; ++buyer) {  // eight in a row, and it is set aside
    w.grant(party(buyer), 1'000'000);
    const LeaseId lease = w.ok(w.bid(buyer, 10)).leases.front();
    w.apply(Reject{lease, party(kHonest), "no", ""});
  }
  ASSERT_FALSE(w.core.asks_of(party(kHonest)).front().live);
  w.wait_ms(1000);
  w.ok(w.ask(kFirstOfMany, 10));
  w.wait_ms(20'000);
  w.ok(w.heartbeat(kHonest));
  w.tick(15'000);  // now the other is silent too, and for longer
  expect_same_after_restore(w, w.ask(kFirstOfMany + 1, 10));
  EXPECT_EQ(asks_of(w, kHonest), 1U);
  EXPECT_EQ(asks_of(w, kFirstOfMany), 0U);
}

TEST_F(PlacesTest, StrangersThatLeaveAreForgottenTheOldestFirst) {
  CoreWorld w(100, places(4));
  earn(w, kHonest);
  const PlaceAsk first = w.ask(kFirstOfMany, 10);
  w.ok(CancelAsk{{party(kFirstOfMany), w.ok(first).order}, {}});
  w.wait_ms(10);
  for (int i = 1; i < 50; ++i) {
    const auto key = static_cast<uint8_t>(kFirstOfMany + i);
    w.ok(CancelAsk{{party(key), w.ok(w.ask(key, 10)).order}, {}});
    w.wait_ms(10);
  }
  EXPECT_EQ(w.code(first), ErrorCode::replayed) << "live until it lapses";
  const size_t full = w.core.encode().size();
  w.tick(31'000);
  EXPECT_EQ(w.code(w.heartbeat(kFirstOfMany)), ErrorCode::not_found);
  w.ok(w.heartbeat(kFirstOfMany + 49));
  w.ok(w.heartbeat(kHonest));
  EXPECT_LT(w.core.encode().size() + size_t{45} * 60, full);
  expect_same_after_restore(w, Tick{});
}

TEST_F(PlacesTest, AStrangerWithALeaseIsNotForgotten) {
  CoreWorld w(100, places(1));
  w.grant(party(kBuyer), 1'000'000);
  const OrderId ask = w.ok(w.ask(kFirstOfMany, 10)).order;
  const LeaseId lease = w.ok(w.bid(kBuyer, 10)).leases.front();
  w.accept(lease);
  w.ok(CancelAsk{{party(kFirstOfMany), ask}, {}});
  for (int i = 1; i < 4; ++i) {
    const auto key = static_cast<uint8_t>(kFirstOfMany + i);
    w.ok(CancelAsk{{party(key), w.ok(w.ask(key, 10)).order}, {}});
  }
  w.tick(31'000);
  w.beat(lease, 1, 1000, 0);
  EXPECT_GT(w.lease(lease).covered_ms, 0U);
}

}  // namespace
}  // namespace mizan::test
