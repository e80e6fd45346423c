// The matching engine against a naive book: the same asks, bids and questions to both.
#include "fuzz/fuzz.hpp"
#include "fuzz/naive_book.hpp"
#include "market/bid_queue.hpp"
#include "market/book.hpp"

using namespace mizan;
using namespace mizan::market;

namespace {

using fuzz::Choices;
using fuzz::NaiveBook;

constexpr uint64_t kNow = 1'000'000;
constexpr size_t kMostAsks = 140;  // more than two blocks
constexpr size_t kMostSteps = 250;
constexpr std::array<std::string_view, 5> kChips = {"cpu", "H100 SXM", "B200", "L4", "MI300X"};
constexpr std::array<std::string_view, 4> kPlaces = {"", "SG", "JP", "DE"};

OrderId order(uint64_t n) {
  OrderId id;
  for (size_t i = 0; i < 8; ++i) id.bytes[31 - i] = static_cast<uint8_t>(n >> (8 * i));
  return id;
}
Address party(uint64_t n) {
  Address address;
  address.bytes[19] = static_cast<uint8_t>(n);
  return address;
}

Ask make_ask(Choices& in, uint64_t sequence) {
  Ask out;
  out.id = order(sequence);
  out.provider = party(in.pick(6));
  out.sequence = sequence;
  out.rate = Rate{in.flag() ? in.pick(40) : static_cast<u128>(kMostRate) - in.pick(3)};
  out.nodes = static_cast<uint32_t>(in.pick(5) + 1);
  out.units_per_node = static_cast<uint32_t>(in.pick(12) + 1);
  out.min_units = static_cast<uint32_t>(in.pick(out.units_per_node) + 1);
  out.from = kNow + in.pick(4) - 2;
  out.until = out.from + in.pick(300);
  out.min_seconds = in.pick(20);
  out.max_seconds = in.flag() ? in.pick(300) : ~uint64_t{0};
  out.interruptible = in.pick(8) == 0;
  Attributes& about = out.attributes;
  about.number(Field::units) = Milli{out.units_per_node} * 1000;
  about.number(Field::nodes) = Milli{out.nodes} * 1000;
  about.number(Field::rate) = static_cast<Milli>(out.rate.nano) * 1000;
  for (const Field field : {Field::memory_gb, Field::cores, Field::disk_gb})
    if (const uint64_t value = in.pick(600); value != 0)
      about.number(field) =
          value == 599 ? kMostSliced * 1000 : static_cast<Milli>(value - 1) * 1000;
  about.word(Field::chip) = kChips[in.pick(kChips.size())];
  about.word(Field::country) = kPlaces[in.pick(kPlaces.size())];
  if (in.flag()) about.cached = {"oci:train", "oci:x"};
  return out;
}

/// A few clauses out of words, or whatever the input says.
Query make_query(Choices& in) {
  static constexpr std::array<std::string_view, 20> kClauses = {
      "chip=cpu",      "chip='H100 SXM'",    "chip in B200,L4", "chip!=cpu",
      "country=SG",    "country notin SG,X", "memory_gb>=64",   "memory_gb<100",
      "cores>7.5",     "disk_gb<=0",         "cores=8",         "reliability>=0.5",
      "units in 2,8",  "nodes!=1",           "rate<20",         "cached='oci:train'",
      "cached!=oci:x", "measured=true",      "memory_gb<=-1",   "cores notin 0,4"};
  std::string text;
  for (uint64_t left = in.pick(4); left > 0; --left)
    text += std::string(kClauses[in.pick(kClauses.size())]) + " ";
  if (in.pick(8) == 0) text += as_text(in.bytes(40));
  auto query = parse_query(text);
  return query ? *std::move(query) : Query{};
}

Demand make_demand(Choices& in, uint64_t sequence) {
  Demand out;
  out.buyer = party(in.pick(6));
  out.sequence = sequence;
  out.max_rate = Rate{in.flag() ? in.pick(50) : static_cast<u128>(kMostRate)};
  out.nodes = static_cast<uint32_t>(in.pick(4) + 1);
  out.units = static_cast<uint32_t>(in.pick(12) + 1);
  out.max_seconds = in.flag() ? in.pick(200) + 1 : ~uint64_t{0};
  out.max_total = Money{in.flag() ? in.pick(60'000) : ~u128{0}};
  out.interruptible = in.flag();
  out.query = make_query(in);
  for (uint64_t left = in.pick(8) == 0 ? in.pick(4) : 0; left > 0; --left)
    out.excluded.push_back(party(in.pick(6)));
  return out;
}

struct Both {
  Book book;
  NaiveBook naive;
  std::vector<std::pair<AskRef, uint64_t>> asks;  // in the book, and by its sequence in the other

  void compare_scan(const Demand& demand) const {
    std::vector<Fill> mine;
    book.scan(demand, kNow, [&](AskRef ref, const Fill& fill) {
      const auto alone = book.fit(ref, demand, kNow);
      ensure(alone && fuzz::same(*alone, fill), "an ask fits alone as it fits in a search");
      mine.push_back(fill);
      return false;
    });
    const std::vector<Fill> theirs = naive.scan(demand, kNow);
    ensure(std::ranges::equal(mine, theirs, fuzz::same), "both books fill a bid alike");
    if (mine.empty())
      ensure(fuzz::same_counts(book.explain(demand, kNow), naive.explain(demand, kNow)),
             "both books say alike why nothing matched");
    for (const auto& [ref, sequence] : asks)
      ensure(book.fit(ref, demand, kNow).has_value() == naive.fit(sequence, demand, kNow),
             "both books say alike whether an ask fits");
  }
};

void step(Choices& in, Both& both, uint64_t& sequence) {
  const auto some = [&] { return both.asks[in.pick(both.asks.size())]; };
  const uint64_t what = in.pick(16);
  if (what < 6 || both.asks.empty()) {
    if (both.asks.size() >= kMostAsks) return;
    const Ask ask = make_ask(in, ++sequence);
    const bool alive = in.pick(8) != 0;
    both.asks.emplace_back(both.book.add(ask, alive), sequence);
    both.naive.add(ask, alive);
  } else if (what == 6) {
    const uint64_t place = in.pick(both.asks.size());
    both.book.remove(both.asks[place].first);
    both.naive.remove(both.asks[place].second);
    both.asks.erase(both.asks.begin() + static_cast<std::ptrdiff_t>(place));
  } else if (what == 7) {
    const auto [ref, number] = some();
    const bool alive = in.flag();
    both.book.set_alive(ref, alive);
    both.naive.at(number).alive = alive;
  } else if (what == 8) {
    const auto [ref, number] = some();
    const Milli reliability = in.flag() ? static_cast<Milli>(in.pick(1001)) : kUnknown;
    both.book.set_reliability(ref, reliability);
    both.naive.at(number).ask.attributes.number(Field::reliability) = reliability;
  } else if (what < 12) {  // the first fill of a bid is taken
    const Demand demand = make_demand(in, in.flag() ? ++sequence : in.pick(sequence + 1));
    both.compare_scan(demand);
    const auto fills = both.naive.scan(demand, kNow);
    if (fills.empty() || in.flag()) return;
    for (const auto& [ref, number] : both.asks) {
      if (order(number) != fills[0].ask) continue;
      both.book.take(ref, fills[0].nodes, demand.units);
      both.naive.take(number, fills[0].nodes, demand.units);
    }
  } else if (what == 12) {
    const auto [ref, number] = some();
    if (const auto taken = both.naive.give_back_one(number, in.pick(8)))
      both.book.give_back(ref, {taken->first}, taken->second);
  } else {
    const Query query = make_query(in);
    static constexpr std::array<std::string_view, 5> kOrders = {"", "-rate", "country,-memory_gb",
                                                                "reliability", "chip,units"};
    const auto keys = parse_order(kOrders[in.pick(kOrders.size())]).value();
    const size_t limit = in.pick(20);
    std::vector<OrderId> mine;
    for (const AskRef ref : both.book.list(query, keys, limit))
      mine.push_back(both.book.ask(ref).id);
    ensure(mine == both.naive.list(query, keys, limit), "both books list alike");
  }
  ensure(both.book.size() == both.asks.size(), "the book counts its asks");
}

/// Standing bids: the queue against a list that is sorted each time.
void bids(Choices& in) {
  BidQueue queue;
  std::vector<std::pair<OrderId, Demand>> all;
  for (uint64_t sequence = 1; !in.empty() && sequence < 150; ++sequence) {
    if (all.empty() || in.pick(4) != 0) {
      all.emplace_back(order(sequence), make_demand(in, sequence));
      queue.add(all.back().first, all.back().second);
    } else {
      const uint64_t place = in.pick(all.size());
      queue.remove(all[place].first);
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(place));
    }
    const std::string chip(kChips[in.pick(kChips.size())]);
    const Rate rate{in.pick(40)};
    std::vector<std::tuple<u128, uint64_t, OrderId>> expected;
    for (const auto& [id, demand] : all) {
      const std::string* only = demand.query.only_chip();
      if ((only == nullptr || *only == chip) && !(demand.max_rate < rate))
        expected.emplace_back(~demand.max_rate.nano, demand.sequence, id);
    }
    std::sort(expected.begin(), expected.end());
    size_t next = 0;
    std::optional<BidQueue::Place> after;
    do {  // each scan goes on where the last one stopped
      after = queue.scan(chip, rate, after, [&](const OrderId& id, const Demand&) {
        ensure(next < expected.size() && std::get<2>(expected[next]) == id,
               "the queue shows the bids of a chip, best first");
        return ++next % 3 == 0;
      });
    } while (after);
    ensure(next == expected.size(), "the queue shows all of them");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Choices in({data, size});
  if (in.pick(8) == 0) {
    bids(in);
    return 0;
  }
  Both both;
  uint64_t sequence = 0;
  for (size_t count = 0; count < kMostSteps && !in.empty(); ++count) step(in, both, sequence);
  return 0;
}
