#include "market/book.hpp"

#include "market/bid_queue.hpp"
#include "support/seed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace mizan::market {
namespace {

constexpr uint64_t kNow = 1'000'000;

OrderId order(uint64_t n) {
  OrderId id;
  for (size_t i = 0; i < 8; ++i) id.bytes[31 - i] = static_cast<uint8_t>(n >> (8 * i));
  return id;
}
Address party(uint8_t n) {
  Address address;
  address.bytes[19] = n;
  return address;
}

Ask ask(uint64_t n, u128 rate, uint32_t nodes = 1, uint32_t units = 8) {
  Ask out;
  out.id = order(n);
  out.provider = party(1);
  out.sequence = n;
  out.rate = Rate{rate};
  out.nodes = nodes;
  out.units_per_node = units;
  out.min_units = 1;
  out.from = 0;
  out.until = kNow + 100'000;
  out.max_seconds = 3600;
  out.attributes.number(Field::units) = Milli{units} * 1000;
  out.attributes.number(Field::nodes) = Milli{nodes} * 1000;
  out.attributes.number(Field::rate) = static_cast<Milli>(rate) * 1000;
  out.attributes.number(Field::memory_gb) = 64'000;
  out.attributes.word(Field::chip) = "H100 SXM";
  out.attributes.word(Field::country) = "SG";
  return out;
}

Demand demand(uint32_t nodes = 1, uint32_t units = 1, std::string_view query = "") {
  Demand out;
  out.buyer = party(9);
  out.sequence = 1'000'000'000;
  out.max_rate = Rate{1000};
  out.nodes = nodes;
  out.units = units;
  out.max_seconds = 600;
  out.max_total = Money{1'000'000'000};
  auto parsed = parse_query(query);
  EXPECT_TRUE(parsed) << query;
  if (parsed) out.query = *std::move(parsed);
  return out;
}

std::vector<OrderId> all(const Book& book, const Demand& wanted) {
  std::vector<OrderId> out;
  book.scan(wanted, kNow, [&](AskRef, const Fill& fill) {
    out.push_back(fill.ask);
    return false;
  });
  return out;
}
std::optional<Fill> best(const Book& book, const Demand& wanted) {
  std::optional<Fill> out;
  book.scan(wanted, kNow, [&](AskRef, const Fill& fill) {
    out = fill;
    return true;
  });
  return out;
}

TEST(Book, CheapestFirstThenEarliest) {
  Book book;
  book.add(ask(3, 20), true);
  book.add(ask(4, 10), true);
  book.add(ask(2, 20), true);
  book.add(ask(5, 2000), true);
  EXPECT_EQ(all(book, demand()), (std::vector<OrderId>{order(4), order(2), order(3)}));
}

TEST(Book, TheRestingOrderSetsTheRate) {
  Book book;
  const AskRef ref = book.add(ask(50, 10), true);
  Demand wanted = demand();
  EXPECT_EQ(best(book, wanted)->rate, Rate{10});
  wanted.sequence = 49;  // it was there before the ask
  EXPECT_EQ(book.fit(ref, wanted, kNow)->rate, Rate{1000});
  EXPECT_EQ(best(book, wanted)->rate, Rate{1000});
}

TEST(Book, EightOnOneNodeIsNotFourAndFour) {
  Book book;
  const AskRef ref = book.add(ask(1, 10, 2, 8), true);
  book.take(ref, {0, 1}, 4);
  EXPECT_EQ(book.free_units(ref), 8u);
  EXPECT_FALSE(best(book, demand(1, 8)));
  EXPECT_TRUE(best(book, demand(2, 4)));
  book.give_back(ref, {1}, 4);
  EXPECT_EQ(best(book, demand(1, 8))->nodes, std::vector<uint32_t>{1});
  EXPECT_FALSE(best(book, demand(2, 8)));
  EXPECT_FALSE(best(book, demand(3, 1)));
}

TEST(Book, FillsTheFullestNodeThatFits) {
  Book book;
  const AskRef ref = book.add(ask(1, 10, 3, 8), true);
  book.take(ref, {1}, 5);
  book.take(ref, {2}, 2);
  EXPECT_EQ(best(book, demand(1, 3))->nodes, std::vector<uint32_t>{1});
  EXPECT_EQ(best(book, demand(1, 4))->nodes, std::vector<uint32_t>{2});
  EXPECT_EQ(best(book, demand(2, 3))->nodes, (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(best(book, demand(1, 8))->nodes, std::vector<uint32_t>{0});
}

TEST(Book, TheSmallestSliceIsKept) {
  Book book;
  Ask half = ask(1, 10);
  half.min_units = 4;
  book.add(half, true);
  EXPECT_FALSE(best(book, demand(1, 3)));
  EXPECT_TRUE(best(book, demand(1, 4)));
}

TEST(Book, SlicedFieldsCountForTheBidsShare) {
  Book book;
  book.add(ask(1, 10), true);  // 64 GB over 8 units
  EXPECT_TRUE(best(book, demand(1, 2, "memory_gb>=16")));
  EXPECT_FALSE(best(book, demand(1, 2, "memory_gb>16")));
  EXPECT_FALSE(best(book, demand(1, 1, "memory_gb>=16")));
  EXPECT_TRUE(best(book, demand(1, 8, "memory_gb=64")));
}

TEST(Book, TimeOwnerInterruptionAndExclusion) {
  Book book;
  Ask one = ask(1, 10);
  one.min_seconds = 500;
  one.until = kNow + 550;
  const AskRef ref = book.add(one, true);
  Demand wanted = demand();
  EXPECT_FALSE(best(book, wanted)) << "600 s do not end before the ask";
  wanted.max_seconds = 520;
  ASSERT_TRUE(best(book, wanted));
  EXPECT_EQ(best(book, wanted)->seconds, 520u);
  wanted.max_total = Money{10 * 510};
  EXPECT_EQ(best(book, wanted)->seconds, 510u);
  wanted.max_total = Money{10 * 499};
  EXPECT_FALSE(best(book, wanted));
  wanted.max_total = Money{10 * 510};
  wanted.buyer = one.provider;
  EXPECT_FALSE(best(book, wanted));
  wanted.buyer = party(9);
  wanted.excluded = {one.provider};
  EXPECT_FALSE(best(book, wanted));
  wanted.excluded.clear();
  book.set_alive(ref, false);
  EXPECT_FALSE(best(book, wanted));
  book.set_alive(ref, true);
  EXPECT_TRUE(best(book, wanted));
  book.remove(ref);
  one.interruptible = true;
  book.add(one, true);
  EXPECT_FALSE(best(book, wanted));
  wanted.interruptible = true;
  EXPECT_TRUE(best(book, wanted));
}

TEST(Book, ReliabilityIsUnknownUntilThereIsSome) {
  Book book;
  const AskRef ref = book.add(ask(1, 10), true);
  EXPECT_FALSE(best(book, demand(1, 1, "reliability>=0.5")));
  book.set_reliability(ref, 950);
  EXPECT_TRUE(best(book, demand(1, 1, "reliability>=0.95")));
  EXPECT_FALSE(best(book, demand(1, 1, "reliability>0.95")));
  EXPECT_EQ(book.ask(ref).attributes.number(Field::reliability), 950);
  book.set_reliability(ref, 400);
  EXPECT_FALSE(best(book, demand(1, 1, "reliability>=0.95")));
  EXPECT_TRUE(best(book, demand(1, 1, "reliability<0.5")));
}

/// What is known of a provider changes while its asks rest, move and are leased in part.
TEST(Book, ReliabilityFollowsAnAskFromBlockToBlock) {
  Book book;
  std::vector<AskRef> refs;
  for (uint64_t n = 1; n <= 300; ++n) {
    refs.push_back(book.add(ask(n, n % 7 + 1), true));
    book.set_reliability(refs.back(), static_cast<Milli>(n));
  }
  for (uint64_t n = 1; n <= 300; ++n) {
    if (n % 3 == 0) book.remove(refs[n - 1]);  // blocks that are half empty become one
    if (n % 3 == 1) book.set_reliability(refs[n - 1], 1000);
  }
  std::set<OrderId> reliable;
  for (uint64_t n = 1; n <= 300; ++n)
    if (n % 3 == 1 || (n % 3 == 2 && n >= 200)) reliable.insert(order(n));
  const auto found = all(book, demand(1, 1, "reliability>=0.2"));
  EXPECT_EQ(std::set<OrderId>(found.begin(), found.end()), reliable);
  const auto rows = book.list(Query{}, *parse_order("-reliability"), 1000);
  ASSERT_EQ(rows.size(), 200u);
  for (size_t i = 1; i < rows.size(); ++i)
    EXPECT_GE(book.ask(rows[i - 1]).attributes.number(Field::reliability),
              book.ask(rows[i]).attributes.number(Field::reliability));
}

TEST(Book, ExplainsWhatRemovedWhat) {
  Book book;
  Ask far = ask(1, 10);
  far.attributes.word(Field::country) = "JP";
  book.add(far, true);
  book.add(ask(2, 2000), true);
  book.add(ask(3, 3000), true);
  Ask small = ask(4, 10, 1, 4);
  small.attributes.word(Field::chip) = "H100 PCIe";
  book.add(small, true);
  book.add(ask(5, 1), false);  // not live: not counted
  const auto reasons = book.explain(demand(1, 8, "chip='H100 SXM' country=SG"), kNow);
  std::map<std::string, Reason> by;
  for (const Reason& reason : reasons) by[reason.dimension] = reason;
  ASSERT_EQ(by.size(), 4u);
  EXPECT_EQ(by["price"].removed, 2u);
  EXPECT_EQ(by["price"].alone, 2u);
  EXPECT_EQ(by["price"].nearest, "2000");
  EXPECT_EQ(by["country=SG"].alone, 1u);
  EXPECT_EQ(by["country=SG"].nearest, "JP");
  EXPECT_EQ(by["chip='H100 SXM'"].removed, 1u);
  EXPECT_EQ(by["chip='H100 SXM'"].alone, 0u);
  EXPECT_EQ(by["chip='H100 SXM'"].nearest, "H100 PCIe");
  EXPECT_EQ(by["units"].removed, 1u);
  EXPECT_EQ(by["units"].nearest, "4 free units on a node");
}

TEST(Book, ListsByTheFieldsAskedFor) {
  Book book;
  for (uint64_t n = 1; n <= 200; ++n) {
    Ask one = ask(n, 1000 - n % 7);
    one.attributes.number(Field::cores) = static_cast<Milli>(n % 5 + 1) * 1000;
    if (n % 10 == 0) one.attributes.number(Field::cores) = kUnknown;
    book.add(one, n % 3 != 0);
  }
  const auto rows = book.list(*parse_query("rate<=998"), *parse_order("-cores,rate"), 1000);
  ASSERT_GT(rows.size(), 50u);
  for (size_t i = 1; i < rows.size(); ++i) {
    const Ask& a = book.ask(rows[i - 1]);
    const Ask& b = book.ask(rows[i]);
    const Milli x = a.attributes.number(Field::cores);
    const Milli y = b.attributes.number(Field::cores);
    EXPECT_GE(x, y) << "unknown comes last";
    if (x == y) {
      EXPECT_TRUE(a.rate < b.rate || (a.rate == b.rate && a.sequence < b.sequence));
    }
    EXPECT_TRUE(book.alive(rows[i]));
  }
  const auto cheapest = book.list(Query{}, {}, 3);
  ASSERT_EQ(cheapest.size(), 3u);
  EXPECT_EQ(book.ask(cheapest[0]).rate, Rate{994});
}

TEST(BidQueue, HighestRateThenEarliestOverBothLines) {
  BidQueue queue;
  const auto add = [&](uint64_t n, u128 rate, std::string_view query) {
    Demand one = demand(1, 1, query);
    one.sequence = n;
    one.max_rate = Rate{rate};
    queue.add(order(n), one);
  };
  add(1, 10, "chip=A");
  add(2, 30, "");
  add(3, 30, "chip=A");
  add(4, 40, "chip=B");
  add(5, 20, "chip in A,B");
  add(6, 15, "chip=A");
  add(7, 14, "chip=A");
  std::vector<OrderId> seen;
  std::optional<BidQueue::Place> at;
  while ((at = queue.scan("A", Rate{15}, at, [&](const OrderId& id, const Demand&) {
    seen.push_back(id);
    return true;
  }))) {
  }
  EXPECT_EQ(seen, (std::vector<OrderId>{order(2), order(3), order(5), order(6)}));
  queue.remove(order(3));
  EXPECT_EQ(queue.size(), 6u);
}

/// The rules of docs, written plainly: every ask is looked at.
class NaiveBook {
 public:
  struct Entry {
    Ask ask;
    bool alive;
    std::vector<uint32_t> free;
  };
  static bool clause_holds(const Clause& clause, const Entry& entry, uint32_t units) {
    const Attributes& a = entry.ask.attributes;
    if (is_number(clause.field)) {
      Milli value = a.number(clause.field);
      if (is_sliced(clause.field) && value != kUnknown)
        value = value / 1000 * std::min(units, entry.ask.units_per_node) /
                entry.ask.units_per_node * 1000;
      return holds(clause, value);
    }
    if (is_word(clause.field)) return holds(clause, std::string_view{a.word(clause.field)});
    return holds(clause, a.cached);
  }
  std::vector<OrderId> matches(const Demand& d) const {
    std::vector<const Entry*> found;
    for (const auto& item : entries) {  // clang 14: no binding in a lambda
      const Entry& e = item.second;
      const uint64_t most =
          e.ask.rate.nano == 0
              ? ~uint64_t{0}
              : static_cast<uint64_t>(d.max_total.nano / (e.ask.rate.nano * d.nodes * d.units));
      const uint64_t seconds = std::min({d.max_seconds, e.ask.max_seconds, most});
      const auto enough =
          std::count_if(e.free.begin(), e.free.end(), [&](uint32_t f) { return f >= d.units; });
      const bool fits = e.alive && e.ask.rate <= d.max_rate && e.ask.provider != d.buyer &&
                        d.units >= e.ask.min_units && enough >= d.nodes && seconds > 0 &&
                        seconds >= e.ask.min_seconds && e.ask.from <= kNow &&
                        kNow + seconds <= e.ask.until && (d.interruptible || !e.ask.interruptible);
      if (fits && std::all_of(d.query.clauses.begin(), d.query.clauses.end(),
                              [&](const Clause& c) { return clause_holds(c, e, d.units); }))
        found.push_back(&e);
    }
    std::sort(found.begin(), found.end(), [](const Entry* a, const Entry* b) {
      if (a->ask.rate != b->ask.rate) return a->ask.rate < b->ask.rate;
      return a->ask.sequence < b->ask.sequence;
    });
    std::vector<OrderId> out;
    for (const Entry* e : found) out.push_back(e->ask.id);
    return out;
  }
  std::map<AskRef, Entry> entries;
};

TEST(Book, AgreesWithANaiveBook) {
  const uint64_t seed = test::random_seed();
  SCOPED_TRACE(test::seed_note(seed));
  std::mt19937_64 random(seed);
  const auto pick = [&](uint64_t n) { return random() % n; };
  const std::vector<std::string> chips{"H100 SXM", "A100", "B200", "cpu", "L4"};
  const std::vector<std::string> countries{"SG", "JP", "DE", ""};
  const std::vector<std::string> queries{"",
                                         "chip='H100 SXM'",
                                         "chip in A100,L4 cores>=4",
                                         "country=SG memory_gb>=16",
                                         "country!=SG",
                                         "memory_gb<16 cores>1",
                                         "chip notin cpu,B200 country in SG,DE",
                                         "cached=a",
                                         "cached!=a chip=cpu",
                                         "rate<=40 units>=4",
                                         "units in [2,8] disk_gb=10",
                                         "chip=none",
                                         "memory_gb in 8,16,32 nodes>=2",
                                         "reliability>=0.5",
                                         "reliability<=0.5",
                                         "reliability<1 cores>=1",
                                         "memory_gb>-1 cores<=0.5",
                                         "disk_gb<7.5 cores>0.5",
                                         "memory_gb<0",
                                         "cores<=-1",
                                         "cores>=2.5"};
  Book book;
  NaiveBook naive;
  for (uint64_t step = 1; step <= 6000; ++step) {
    const uint64_t what = pick(10);
    if (what < 5 || naive.entries.empty()) {
      Ask one = ask(step, pick(100), static_cast<uint32_t>(pick(3) + 1),
                    static_cast<uint32_t>(1u << pick(4)));
      one.provider = party(static_cast<uint8_t>(pick(4) + 6));
      one.min_units = static_cast<uint32_t>(pick(one.units_per_node) + 1);
      one.interruptible = pick(4) == 0;
      one.min_seconds = pick(2) * 300;
      one.from = pick(8) == 0 ? kNow + 1 : 0;
      one.until = kNow + (pick(4) == 0 ? pick(700) : 100'000);
      one.attributes.word(Field::chip) = chips[pick(chips.size())];
      one.attributes.word(Field::country) = countries[pick(countries.size())];
      one.attributes.number(Field::memory_gb) =
          pick(10) == 0 ? kUnknown : static_cast<Milli>(pick(65)) * 1000;
      one.attributes.number(Field::cores) = static_cast<Milli>(pick(33)) * 1000;
      one.attributes.number(Field::disk_gb) = static_cast<Milli>(pick(40)) * 1000;
      if (pick(3) == 0) one.attributes.cached = {"b", "a"};
      const bool alive = pick(5) != 0;
      const AskRef ref = book.add(one, alive);
      naive.entries[ref] = {one, alive, std::vector<uint32_t>(one.nodes, one.units_per_node)};
    } else {
      auto it = naive.entries.begin();
      std::advance(it, static_cast<std::ptrdiff_t>(pick(naive.entries.size())));
      auto& [ref, entry] = *it;
      const auto node = static_cast<uint32_t>(pick(entry.ask.nodes));
      if (what < 7) {
        book.remove(ref);
        naive.entries.erase(it);
      } else if (what == 7 && pick(2) == 0) {
        entry.ask.attributes.number(Field::reliability) =
            pick(4) == 0 ? kUnknown : static_cast<Milli>(pick(1001));
        book.set_reliability(ref, entry.ask.attributes.number(Field::reliability));
      } else if (what == 7) {
        entry.alive = !entry.alive;
        book.set_alive(ref, entry.alive);
      } else if (what == 8 && entry.free[node] > 0) {
        const auto units = static_cast<uint32_t>(pick(entry.free[node]) + 1);
        book.take(ref, {node}, units);
        entry.free[node] -= units;
      } else if (entry.free[node] < entry.ask.units_per_node) {
        const uint32_t units = entry.ask.units_per_node - entry.free[node];
        book.give_back(ref, {node}, units);
        entry.free[node] += units;
      }
    }
    ASSERT_EQ(book.size(), naive.entries.size());
    if (step % 5 != 0) continue;
    Demand wanted = demand(static_cast<uint32_t>(pick(2) + 1), static_cast<uint32_t>(pick(6) + 1),
                           queries[pick(queries.size())]);
    wanted.buyer = party(static_cast<uint8_t>(pick(4) + 6));
    wanted.max_rate = Rate{pick(120)};
    wanted.max_total = Money{pick(100'000)};
    wanted.interruptible = pick(2) == 0;
    const auto expected = naive.matches(wanted);
    ASSERT_EQ(all(book, wanted), expected) << "step " << step;
    if (!expected.empty()) continue;
    size_t live = 0;
    for (const auto& [ref, entry] : naive.entries) live += entry.alive ? 1 : 0;
    uint64_t removed = 0;
    for (const Reason& reason : book.explain(wanted, kNow)) {
      ASSERT_LE(reason.removed, live);
      ASSERT_LE(reason.alone, reason.removed);
      removed += reason.removed;
    }
    ASSERT_GE(removed, live) << "every live ask fails something";
  }
}

}  // namespace
}  // namespace mizan::market
