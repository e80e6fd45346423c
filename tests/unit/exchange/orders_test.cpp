#include "support/core_world.hpp"

namespace mizan::exchange {
namespace {

using test::CoreWorld;
using test::party;

constexpr uint8_t kBuyer = 1;
constexpr uint8_t kProvider = 2;
constexpr uint8_t kOther = 3;

class OrdersTest : public ::testing::Test {
 protected:
  OrdersTest() { w.grant(party(kBuyer), 1'000'000); }
  PlaceBid standing(uint8_t buyer, u128 rate, const std::string& query = "") {
    PlaceBid bid = w.bid(buyer, rate);
    bid.spec = w.spec(query, false);
    return bid;
  }
  CoreWorld w;
};

TEST_F(OrdersTest, GenesisComesFirstAndOnce) {
  EXPECT_EQ(w.code(*w.core.config()), ErrorCode::conflict);
  Exchange empty;
  EXPECT_EQ(empty.apply({1, w.now, {}, Tick{}}).answer.error().code, ErrorCode::conflict);
  Genesis wrong = *w.core.config();
  wrong.exchange_id.bytes[0] ^= 1;
  EXPECT_EQ(empty.apply({2, w.now, {}, wrong}).answer.error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(empty.apply({3, w.now, {}, *w.core.config()}).answer);
}

TEST_F(OrdersTest, AGrantCountsOnce) {
  const Grant grant{{party(kBuyer), 5, 77, w.seconds() + 10}, {}};
  w.ok(grant);
  EXPECT_EQ(w.code(grant), ErrorCode::replayed);
  w.wait_ms(10'499);
  EXPECT_EQ(w.code(grant), ErrorCode::replayed) << "it is good until its last millisecond";
  w.wait_ms(1);
  EXPECT_EQ(w.code(grant), ErrorCode::expired);
  EXPECT_EQ(w.core.account(party(kBuyer)).balance.nano, 1'000'005u);
  EXPECT_EQ(w.core.totals().granted.nano, 1'000'005u);
}

TEST_F(OrdersTest, AnImmediateBidWithoutAMatchSaysWhyAndChangesNothing) {
  w.ok(w.ask(kProvider, 50));
  const Hash32 before = w.core.state_hash();
  const PlaceBid bid = w.bid(kBuyer, 20);
  const Outcome outcome = w.apply(bid);
  EXPECT_EQ(outcome.answer.error().code, ErrorCode::no_match);
  ASSERT_EQ(outcome.reasons.size(), 1u);
  EXPECT_EQ(outcome.reasons[0].dimension, "price");
  EXPECT_EQ(outcome.reasons[0].nearest, "50");
  EXPECT_TRUE(outcome.events.empty());
  EXPECT_NE(w.core.state_hash(), before) << "the sequence counts on";
  w.ok(w.ask(kOther, 20));
  EXPECT_EQ(w.ok(bid).leases.size(), 1u) << "its nonce was not spent";
}

TEST_F(OrdersTest, AStandingBidMeetsALaterAskAtItsOwnRate) {
  const Answer answer = w.ok(standing(kBuyer, 20));
  EXPECT_TRUE(answer.resting);
  EXPECT_EQ(w.core.bids_of(party(kBuyer)).size(), 1u);
  w.ok(w.ask(kProvider, 30));
  EXPECT_TRUE(w.seen<Matched>().empty());
  w.ok(w.ask(kOther, 5));
  ASSERT_EQ(w.seen<Matched>().size(), 1u);
  EXPECT_EQ(w.lease(w.seen<Matched>()[0].lease).terms.rate, 20u);
  EXPECT_TRUE(w.core.bids_of(party(kBuyer)).empty());
}

TEST_F(OrdersTest, StandingBidsAreServedBestRateFirst) {
  w.grant(party(4), 1'000'000);
  const OrderId low = w.ok(standing(kBuyer, 20)).order;
  const OrderId high = w.ok(standing(4, 25)).order;
  const OrderId same = w.ok(standing(kBuyer, 20)).order;
  w.ok(w.ask(kProvider, 1, 1, 2));
  const auto told = w.seen<Matched>();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].order, high);
  EXPECT_EQ(told[1].order, low);
  ASSERT_EQ(w.core.bids_of(party(kBuyer)).size(), 1u);
  EXPECT_EQ(w.core.bids_of(party(kBuyer))[0].id, same);
  w.ok(Reject{told[0].lease, party(kProvider), "", ""});
  ASSERT_EQ(w.seen<Matched>().size(), 3u) << "the unit that came back goes to the one who waits";
  EXPECT_EQ(w.seen<Matched>()[2].order, same);
  EXPECT_EQ(w.core.bids_of(party(4)).size(), 1u) << "the rejected bid waits for another ask";
  EXPECT_EQ(w.replayed().state_hash(), w.core.state_hash());
}

TEST_F(OrdersTest, AnAskLapsesWithoutHeartbeatAndReturnsWithIt) {
  const OrderId ask = w.ok(w.ask(kProvider, 10)).order;
  w.tick(29'999);
  EXPECT_TRUE(w.core.find_ask(ask)->live);
  EXPECT_EQ(w.core.offers("", "", 10)->size(), 1u);
  w.tick(1);
  EXPECT_FALSE(w.core.find_ask(ask)->live);
  EXPECT_TRUE(w.core.offers("", "", 10)->empty());
  EXPECT_EQ(w.code(w.bid(kBuyer, 20)), ErrorCode::no_match);
  w.ok(standing(kBuyer, 20));
  w.ok(w.heartbeat(kProvider));
  EXPECT_TRUE(w.core.find_ask(ask)->live);
  ASSERT_EQ(w.seen<Matched>().size(), 1u) << "the bid that waited is served";
  EXPECT_EQ(w.lease(w.seen<Matched>()[0].lease).terms.rate, 10u) << "the ask was there first";
  std::vector<AskChange> changes;
  for (const AskChanged& event : w.seen<AskChanged>()) changes.push_back(event.change);
  EXPECT_EQ(changes,
            (std::vector<AskChange>{AskChange::listed, AskChange::lapsed, AskChange::returned}));
  EXPECT_EQ(w.code(w.heartbeat(9)), ErrorCode::not_found);
}

TEST_F(OrdersTest, AnAskIsListedOnceAndNotAgainAfterItsEnd) {
  const PlaceAsk ask = w.ask(kProvider, 10);
  const OrderId id = w.ok(ask).order;
  EXPECT_TRUE(w.ok(ask).repeated);
  EXPECT_EQ(w.code(CancelAsk{{party(kOther), id}, {}}), ErrorCode::forbidden);
  w.ok(CancelAsk{{party(kProvider), id}, {}});
  EXPECT_FALSE(w.core.find_ask(id));
  EXPECT_EQ(w.code(CancelAsk{{party(kProvider), id}, {}}), ErrorCode::not_found);
  EXPECT_EQ(w.code(ask), ErrorCode::replayed);
  PlaceAsk brief = w.ask(kProvider, 10);
  brief.ask.until = w.seconds() + 5;
  w.ok(brief);
  w.tick(5000);
  EXPECT_EQ(w.seen<AskChanged>().back().change, AskChange::expired);
  EXPECT_EQ(w.code(brief), ErrorCode::expired);
}

TEST_F(OrdersTest, NoAskComesBackWhileItsLeasesRun) {
  // Past the greatest nonce there is none that a floor could ask for.
  PlaceAsk last = w.ask(kProvider, 10);
  last.ask.nonce = ~uint64_t{0};
  const Outcome listed = w.apply(last);
  EXPECT_EQ(listed.answer.error().code, ErrorCode::invalid_argument);
  last.ask.nonce -= 1;
  const OrderId id = w.ok(last).order;
  const LeaseId lease = w.ok(w.bid(kBuyer, 20)).leases.at(0);
  w.accept(lease);
  w.ok(CancelAsk{{party(kProvider), id}, {}});
  EXPECT_EQ(w.code(last), ErrorCode::replayed);
  w.beat(lease, 4, 0, 0);
  w.ok(Close{{lease, 0}, {}});
  w.finalize(lease);
  EXPECT_EQ(w.lease(lease).state, LeaseState::settled);
}

TEST_F(OrdersTest, AnAskOfTheFutureWaitsForItsWindow) {
  PlaceAsk later = w.ask(kProvider, 10);
  later.ask.from = w.seconds() + 20;
  w.ok(later);
  w.ok(standing(kBuyer, 20));
  EXPECT_TRUE(w.seen<Matched>().empty());
  w.tick(20'000);
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
}

TEST_F(OrdersTest, BidsExpireAndAreCancelled) {
  PlaceBid brief = standing(kBuyer, 20);
  brief.bid.valid_until = w.seconds() + 5;
  w.ok(brief);
  w.tick(5000);
  EXPECT_EQ(w.core.bids_of(party(kBuyer)).size(), 1u) << "good through its last second";
  w.tick(1000);
  EXPECT_TRUE(w.core.bids_of(party(kBuyer)).empty());

  PlaceBid bid = standing(kBuyer, 20);
  bid.bid.nonce = 256 * 9 + 17;
  w.ok(bid);
  U256 mask;
  mask.bytes[31 - 2] = 1 << 1;  // bit 17
  const CancelBids cancel{{party(kBuyer), 9, mask, 0, w.seconds(), 0}, {}};
  w.ok(cancel);
  EXPECT_EQ(w.seen<BidChanged>().back().change, BidChange::cancelled);
  EXPECT_EQ(w.code(bid), ErrorCode::replayed);
  EXPECT_EQ(w.code(CancelBids{{party(8), 9, mask, 0, w.seconds(), 0}, {}}), ErrorCode::not_found);

  w.ok(w.ask(kProvider, 10));
  PlaceBid matched = w.bid(kBuyer, 20);
  matched.bid.nonce = 256 * 10;
  const LeaseId lease = w.ok(matched).leases.front();
  U256 low;
  low.bytes[31] = 1;
  w.ok(CancelBids{{party(kBuyer), 10, low, 0, w.seconds(), 0}, {}});
  EXPECT_EQ(w.lease(lease).state, LeaseState::failed);
  EXPECT_EQ(w.lease(lease).reason, "buyer_cancelled");
  EXPECT_EQ(w.core.account(party(kBuyer)).balance.nano, 1'000'000u);
}

TEST_F(OrdersTest, ANonceIsSpentOnce) {
  w.ok(w.ask(kProvider, 10, 4, 4));
  PlaceBid bid = w.bid(kBuyer, 20, 3, 1);
  bid.bid.nonce = 254;
  w.ok(bid);
  PlaceBid other = w.bid(kBuyer, 20, 1, 1);
  for (const uint64_t nonce : {254u, 255u, 256u}) {
    other.bid.nonce = nonce;
    EXPECT_EQ(w.code(other), ErrorCode::replayed);
  }
  other.bid.nonce = 257;
  w.ok(other);
  other.bid.nodes = 2;
  other.bid.nonce = ~uint64_t{0};
  EXPECT_EQ(w.code(other), ErrorCode::invalid_argument);
  PlaceBid waits = standing(kBuyer, 1);
  waits.bid.nonce = other.bid.nonce = 300;
  EXPECT_TRUE(w.ok(waits).resting);
  EXPECT_EQ(w.code(other), ErrorCode::replayed) << "a bid that waits has spent its own";
}

TEST_F(OrdersTest, MoneyIsNeededWhenABidIsTakenAndWhenItIsMatched) {
  w.ok(w.ask(kProvider, 10));
  PlaceBid dear = w.bid(kBuyer, 20, 1, 1, 100'000);
  EXPECT_EQ(w.ok(dear).leases.size(), 1u) << "10 x 100,000 is all it has";
  EXPECT_EQ(w.core.account(party(kBuyer)).balance.nano, 0u);
  EXPECT_EQ(w.code(standing(kBuyer, 1)), ErrorCode::insufficient_funds);
  EXPECT_EQ(w.code(w.bid(8, 20)), ErrorCode::insufficient_funds);
}

TEST_F(OrdersTest, AStarvedBidIsServedWhenMoneyComes) {
  PlaceBid a = standing(kBuyer, 10);
  PlaceBid b = standing(kBuyer, 10);
  a.bid.max_seconds = b.bid.max_seconds = 60'000;
  w.ok(a);
  w.ok(b);
  w.ok(w.ask(kProvider, 1, 1, 2));
  ASSERT_EQ(w.seen<Matched>().size(), 1u) << "the balance covers one of them";
  EXPECT_EQ(w.core.bids_of(party(kBuyer)).size(), 1u);
  w.grant(party(kBuyer), 200'000);
  EXPECT_EQ(w.seen<Matched>().size(), 2u);
}

TEST_F(OrdersTest, AnOwnerNeverTradesWithItself) {
  w.ok(w.ask(kBuyer, 10));
  const Outcome outcome = w.apply(w.bid(kBuyer, 20));
  EXPECT_EQ(outcome.answer.error().code, ErrorCode::no_match);
  EXPECT_EQ(outcome.reasons.at(0).dimension, "owner");
}

TEST_F(OrdersTest, TheQueryIsJudgedForTheSlice) {
  w.ok(w.ask(kProvider, 10, 1, 4));  // 64 GB, 16 cores
  PlaceBid bid = w.bid(kBuyer, 20, 1, 2);
  bid.spec = w.spec("memory_gb>=33", true);
  EXPECT_EQ(w.code(bid), ErrorCode::no_match);
  bid.spec = w.spec("memory_gb>=32 cores>=8 chip=cpu measured=true", true);
  w.ok(bid);
}

TEST_F(OrdersTest, BadFieldsAreNamed) {
  const auto field = [&](const Command& command) {
    const Error error = w.refused(command);
    const auto it = error.details.find("field");
    return it == error.details.end() ? error.message : it->second;
  };
  PlaceAsk ask = w.ask(kProvider, 10);
  ask.ask.min_units = 2;
  EXPECT_EQ(field(ask), "ask.minUnits");
  ask = w.ask(kProvider, 10);
  ask.ask.chip = "";
  EXPECT_EQ(field(ask), "ask.chip");
  ask = w.ask(kProvider, 10);
  ask.ask.rate = u128{1} << 100;
  EXPECT_EQ(field(ask), "ask.rate");
  ask = w.ask(kProvider, 10);
  ask.attributes = R"({"memry_gb":{"source":"measured","value":1}})";
  const Error unknown = w.refused(ask);
  EXPECT_EQ(unknown.code, ErrorCode::unknown_field);
  EXPECT_EQ(unknown.details.at("nearest"), "memory_gb");
  ask.attributes = R"({"memory_gb":{"source":"guessed","value":1}})";
  EXPECT_EQ(field(ask), "attributes.memory_gb.source");
  ask.attributes = R"({"memory_gb":{"source":"measured","value":"x"}})";
  EXPECT_EQ(field(ask), "attributes.memory_gb.value");
  PlaceBid bid = w.bid(kBuyer, 20);
  bid.bid.grace = 5;
  EXPECT_EQ(field(bid), "bid.grace");
  bid = w.bid(kBuyer, 20);
  bid.bid.meter = {};
  EXPECT_EQ(field(bid), "bid.meter");
  bid = w.bid(kBuyer, 20);
  bid.bid.max_fee_bps = 99;
  EXPECT_EQ(field(bid), "bid.maxFeeBps");
  bid = w.bid(kBuyer, 20);
  bid.bid.earliest_start = w.seconds() + 1;
  EXPECT_EQ(field(bid), "bid.earliestStart");
  bid = w.bid(kBuyer, 20);
  bid.spec = w.spec("chpi=A", true);
  EXPECT_EQ(field(bid), "query");
  bid.spec = R"({"immediate_or_cancel":true,"job":{},"query":"","split":true})";
  EXPECT_EQ(field(bid), "spec.split");
  bid.spec = std::string(70'000, ' ');
  EXPECT_EQ(w.code(bid), ErrorCode::too_large);
}

TEST_F(OrdersTest, AnIdempotencyKeyDoesNothingTwice) {
  w.ok(w.ask(kProvider, 10, 1, 4));
  const PlaceBid bid = w.bid(kBuyer, 20);
  const Idempotency key{party(kBuyer), "job-1", keccak256("body")};
  const Outcome first = w.apply(bid, key);
  ASSERT_TRUE(first.answer);
  const Outcome again = w.apply(bid, key);
  ASSERT_TRUE(again.answer);
  EXPECT_TRUE(again.answer->repeated);
  EXPECT_EQ(again.answer->leases, first.answer->leases);
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
  const Idempotency other{party(kBuyer), "job-1", keccak256("another body")};
  EXPECT_EQ(w.apply(bid, other).answer.error().code, ErrorCode::replayed);
  const Idempotency stranger{party(kOther), "job-1", keccak256("body")};
  EXPECT_FALSE(w.apply(bid, stranger).answer) << "keys are an account's own";

  auto restored = Exchange::restore(w.core.encode());
  ASSERT_TRUE(restored);
  const Sequenced next{w.core.last_sequence() + 1, w.now, key, bid};
  EXPECT_TRUE(restored->apply(next).answer->repeated) << "a crash forgets no key";

  w.tick(24 * 3600 * 1000 - 1);
  const Outcome late = w.apply(bid, key);
  EXPECT_TRUE(late.answer && late.answer->repeated) << "it is kept for a day";
  w.tick(1);
  EXPECT_EQ(w.apply(bid, key).answer.error().code, ErrorCode::expired) << "forgotten after a day";
  EXPECT_EQ(w.apply(Tick{}, Idempotency{party(kBuyer), "a b", {}}).answer.error().code,
            ErrorCode::invalid_argument);
}

TEST_F(OrdersTest, AnswersToAsksAreKeptForAccountsThatHadMoney) {
  const PlaceAsk ask = w.ask(kProvider, 10);
  const Idempotency key{party(kProvider), "ask-1", keccak256("body")};
  const OrderId id = w.apply(ask, key).answer->order;
  const Outcome again = w.apply(ask, key);
  ASSERT_TRUE(again.answer);
  EXPECT_TRUE(again.answer->repeated) << "an ask is known by its id";
  EXPECT_EQ(again.answer->order, id);
  const CancelAsk cancel{{party(kProvider), id}, {}};
  const Idempotency ended{party(kProvider), "end-1", keccak256("body")};
  EXPECT_TRUE(w.apply(cancel, ended).answer);
  EXPECT_EQ(w.apply(cancel, ended).answer.error().code, ErrorCode::not_found);
  // Of a hundred keys that never had anything nothing is left.
  const size_t before = w.core.encode().size();
  for (uint8_t n = 100; n < 200; ++n) {
    const PlaceAsk free = w.ask(n, 10);
    const OrderId open = w.apply(free, Idempotency{party(n), "ask", {}}).answer->order;
    w.apply(CancelAsk{{party(n), open}, {}}, Idempotency{party(n), "end", {}});
  }
  EXPECT_LT(w.core.encode().size(), before + size_t{100} * 120)
      << "a provider's record each, no more";

  w.grant(party(kProvider), 1);
  const PlaceAsk next = w.ask(kProvider, 10);
  const Idempotency kept{party(kProvider), "ask-2", keccak256("body")};
  const OrderId second = w.apply(next, kept).answer->order;
  w.ok(CancelAsk{{party(kProvider), second}, {}});
  const Outcome late = w.apply(next, kept);
  EXPECT_TRUE(late.answer && late.answer->repeated);
}

TEST_F(OrdersTest, LimitsHold) {
  Limits limits;
  limits.open_orders = 3;
  limits.idempotency_keys = 1;
  limits.nonce_words = 2;
  limits.live_leases = 1;
  CoreWorld small(0, limits);
  small.grant(party(kBuyer), 1'000'000);
  for (int i = 0; i < 3; ++i) small.ok(small.ask(kProvider, 10));
  EXPECT_EQ(small.code(small.ask(kProvider, 10)), ErrorCode::limit_exceeded);
  small.ok(small.bid(kBuyer, 20));
  EXPECT_EQ(small.code(small.bid(kBuyer, 20)), ErrorCode::limit_exceeded);
  CoreWorld keys(0, limits);
  keys.apply(Tick{}, Idempotency{party(1), "a", {}});
  EXPECT_EQ(keys.apply(Tick{}, Idempotency{party(1), "b", {}}).answer.error().code,
            ErrorCode::limit_exceeded);
  keys.grant(party(kBuyer), 1'000'000);
  for (const uint64_t word : {5u, 7u})
    keys.ok(CancelBids{{party(kBuyer), word, {}, 0, ~0ULL, 0}, {}});
  EXPECT_EQ(keys.code(CancelBids{{party(kBuyer), 8, {}, 0, ~0ULL, 0}, {}}),
            ErrorCode::limit_exceeded);
  keys.ok(CancelBids{{party(kBuyer), 7, {}, 0, ~0ULL, 0}, {}});
}

TEST_F(OrdersTest, APlanIsADryRun) {
  w.ok(w.ask(kProvider, 10));
  w.ok(w.ask(kOther, 8, 1, 2));
  const Hash32 before = w.core.state_hash();
  PlanRequest request;
  request.max_rate = 20;
  request.max_seconds = 100;
  std::vector<market::Reason> reasons;
  const auto plan = w.core.plan(request, 10, &reasons);
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->size(), 2u);
  EXPECT_EQ(plan->at(0).escrow.nano, 800u);
  EXPECT_EQ(plan->at(1).escrow.nano, 1000u);
  request.units_per_node = 4;
  EXPECT_EQ(w.core.plan(request, 10, &reasons).error().code, ErrorCode::no_match);
  ASSERT_EQ(reasons.size(), 1u);
  EXPECT_EQ(reasons[0].dimension, "units");
  EXPECT_EQ(w.core.state_hash(), before);
  const auto offers = w.core.offers("cores>=16", "-rate", 10);
  ASSERT_TRUE(offers);
  ASSERT_EQ(offers->size(), 2u);
  EXPECT_EQ(offers->at(0).ask.rate, 10u);
  EXPECT_FALSE(w.core.offers("coers>=16", "", 10));
}

TEST_F(OrdersTest, ASnapshotIsTheState) {
  w.ok(w.ask(kProvider, 10, 2, 4));
  w.ok(standing(kBuyer, 5));
  w.accept(w.ok(w.bid(kBuyer, 20, 2, 3)).leases.front());
  w.ok(w.bid(kBuyer, 20));
  const Bytes snapshot = w.core.encode();
  const auto restored = Exchange::restore(snapshot);
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->encode(), snapshot);
  EXPECT_EQ(restored->state_hash(), w.core.state_hash());
  EXPECT_EQ(restored->find_ask(w.core.asks_of(party(kProvider))[0].id)->free_units, 1u);
  for (size_t cut = 0; cut < snapshot.size(); cut += 7)
    EXPECT_FALSE(Exchange::restore(ByteView(snapshot).first(cut)));
  for (size_t at = 0; at < snapshot.size(); ++at) {  // no flip may stop the process
    Bytes flipped = snapshot;
    flipped[at] ^= 0x10;
    const auto other = Exchange::restore(flipped);
    if (other) {
      EXPECT_EQ(other->encode(), flipped);
    }
  }
}

}  // namespace
}  // namespace mizan::exchange
