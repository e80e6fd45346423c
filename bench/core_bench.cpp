// Matching alone, and the core without journal: bids against 100,000 live asks, orders a second.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/eip712.hpp"
#include "crypto/hash.hpp"
#include "exchange/exchange.hpp"
#include "market/bid_queue.hpp"
#include "market/book.hpp"
#include "market_world.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <random>
#include <string>
#include <vector>

namespace mizan {
namespace {

/// The time that this thread computed: what others do on the machine does not count.
struct Clock {
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<Clock, duration>;
  static time_point now() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return time_point(std::chrono::seconds(t.tv_sec) + duration(t.tv_nsec));
  }
};
using bench::kNow;
using bench::Market;
using bench::numbered;
using market::Field;

constexpr size_t kAsks = 100'000;

double micros(Clock::duration d) {
  return std::chrono::duration<double, std::micro>(d).count();
}

void report(const std::string& what, std::vector<double>& samples) {
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double q) {
    return samples[std::min(samples.size() - 1,
                            static_cast<size_t>(q * static_cast<double>(samples.size())))];
  };
  fmt::print("{:<58} {:>8} p50 {:>9.2f} us  p99 {:>9.2f} us  max {:>9.2f} us\n", what,
             samples.size(), at(0.5), at(0.99), samples.back());
}

void report_rate(const std::string& what, size_t count, Clock::duration took) {
  fmt::print("{:<58} {:>8} {:>12.0f} /s  {:>7.3f} us each\n", what, count,
             static_cast<double>(count) * 1e6 / micros(took),
             micros(took) / static_cast<double>(count));
}

void bids_against_many_asks() {
  Market world(1);
  market::Book book;
  const auto start = Clock::now();
  for (uint64_t n = 1; n <= kAsks; ++n) book.add(world.ask(n), true);
  report_rate("asks added, up to 100,000", kAsks, Clock::now() - start);

  const auto match = [&](const market::Demand& demand) {
    bool found = false;
    book.scan(demand, kNow, [&](market::AskRef, const market::Fill&) { return found = true; });
    return found;
  };
  std::vector<double> hits;
  std::vector<double> misses;
  std::vector<double> parsing;
  std::vector<double> explaining;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = world.query();
    const auto a = Clock::now();
    const market::Demand demand = world.demand(text);
    const auto b = Clock::now();
    const bool found = match(demand);
    const auto c = Clock::now();
    parsing.push_back(micros(b - a));
    (found ? hits : misses).push_back(micros(c - b));
    if (!found && explaining.size() < 200) {
      const auto d = Clock::now();
      if (book.explain(demand, kNow).empty()) fmt::print("no reason?\n");
      explaining.push_back(micros(Clock::now() - d));
    }
  }
  report("a bid of 3 to 5 clauses matched, 100,000 live asks", hits);
  report("the same, nothing fits", misses);
  report("its query read", parsing);
  report("its reasons (every live ask judged)", explaining);
  std::vector<double> open;
  for (int i = 0; i < 5000; ++i) {
    const market::Demand demand = world.demand("memory_gb>=512 country=C35 cores>=100");
    const auto a = Clock::now();
    match(demand);
    open.push_back(micros(Clock::now() - a));
  }
  report("a bid for any chip, 1 ask of 6,000 fits", open);
}

/// One chip, no clauses, a book of 1,000: what order-book benchmarks measure.
void simple_orders() {
  Market world(2);
  market::Book book;
  std::vector<market::AskRef> refs;
  market::Ask ask = world.ask(1);
  ask.nodes = 1;
  ask.units_per_node = 8;
  uint64_t n = 1;
  const auto add = [&] {
    ask.sequence = n;
    ask.id = numbered<OrderId>(n++);
    ask.rate = Rate{1000 + world.pick(1000)};
    return book.add(ask, true);
  };
  for (int i = 0; i < 1000; ++i) refs.push_back(add());
  constexpr size_t kOrders = 1'000'000;
  market::Demand demand = world.demand("");
  demand.units = 1;
  auto start = Clock::now();
  for (size_t i = 0; i < kOrders / 2; ++i) {
    const size_t victim = world.pick(refs.size());
    book.remove(refs[victim]);
    refs[victim] = add();
  }
  report_rate("asks placed and cancelled, 1,000 in the book", kOrders, Clock::now() - start);
  start = Clock::now();
  for (size_t i = 0; i < kOrders / 2; ++i) {
    market::AskRef ref = 0;
    market::Fill fill;
    book.scan(demand, kNow, [&](market::AskRef found, const market::Fill& one) {
      ref = found;
      fill = one;
      return true;
    });
    book.take(ref, fill.nodes, demand.units);
    book.give_back(ref, fill.nodes, demand.units);
  }
  report_rate("bids matched (and given back), 1,000 in the book", kOrders / 2,
              Clock::now() - start);
  start = Clock::now();
  market::BidQueue queue;
  market::Demand standing = world.demand("chip=cpu");
  for (uint64_t i = 0; i < kOrders / 2; ++i) {
    standing.sequence = i;
    standing.max_rate = Rate{world.pick(1000)};
    queue.add(numbered<OrderId>(i), standing);
    if (i >= 1000) queue.remove(numbered<OrderId>(i - 1000));
  }
  report_rate("standing bids placed and cancelled, 1,000 waiting", kOrders, Clock::now() - start);
}

/// exchange::apply over a journal in memory, 100,000 asks: JSON, digests, ledger and all.
void whole_core() {
  using namespace exchange;
  Market world(3);
  Exchange core;
  UnixMs now{kNow * 1000};
  uint64_t refused = 0;
  const auto apply = [&](Command command) {
    Outcome outcome = core.apply({core.last_sequence() + 1, now, {}, std::move(command)});
    if (!outcome.answer) ++refused;
    return outcome;
  };
  Genesis genesis;
  genesis.identity = genesis.operator_ = genesis.meter = genesis.clearance = genesis.fee_to =
      numbered<Address>(7);
  Bytes seed(as_bytes("mizan-exchange").begin(), as_bytes("mizan-exchange").end());
  seed.insert(seed.end(), genesis.identity.bytes.begin(), genesis.identity.bytes.end());
  genesis.exchange_id = keccak256(seed);
  apply(genesis);
  const auto place = [&](uint64_t n) {
    const market::Ask ask = world.ask(n);
    PlaceAsk out;
    out.ask.provider = ask.provider;
    out.ask.chip = ask.attributes.word(Field::chip);
    out.ask.nodes = ask.nodes;
    out.ask.units_per_node = ask.units_per_node;
    out.ask.min_units = 1;
    out.ask.rate = ask.rate.nano;
    out.ask.until = ask.until;
    out.ask.max_seconds = ask.max_seconds;
    out.ask.nonce = n;
    out.attributes = fmt::format(
        R"({{"cores":{{"source":"measured","value":{}}},"country":{{"source":"attested",)"
        R"("value":"{}"}},"memory_gb":{{"source":"measured","value":{}}}}})",
        ask.attributes.number(Field::cores) / 1000, ask.attributes.word(Field::country),
        ask.attributes.number(Field::memory_gb) / 1000);
    return out;
  };
  std::vector<PlaceAsk> asks;
  for (uint64_t n = 1; n <= kAsks; ++n) asks.push_back(place(n));
  auto start = Clock::now();
  for (PlaceAsk& ask : asks) apply(std::move(ask));
  report_rate("apply: PlaceAsk, up to 100,000", kAsks, Clock::now() - start);

  const size_t buyers = 200;
  for (uint64_t b = 0; b < buyers; ++b)
    apply(Grant{{numbered<Address>(1'000'000 + b), u128{1} << 90, b, kNow + 1000}, {}});
  const size_t count = 30'000;
  std::vector<PlaceBid> bids;
  for (uint64_t i = 0; i < count; ++i) {
    PlaceBid out;
    out.bid.buyer = numbered<Address>(1'000'000 + i % buyers);
    out.bid.meter = genesis.meter;
    out.bid.max_rate = 2'000'000;
    out.bid.nodes = 1;
    out.bid.units_per_node = 1;
    out.bid.max_seconds = 3600;
    out.bid.latest_start = out.bid.valid_until = kNow + 1000;
    out.bid.grace = 60;
    out.bid.max_total = ~u128{0};
    out.bid.nonce = i;
    out.spec = fmt::format(R"({{"immediate_or_cancel":true,"job":{{"run":"python3 train.py"}},)"
                           R"("query":"{}","split":false}})",
                           world.query(false));
    bids.push_back(std::move(out));
  }
  std::vector<double> matched;
  std::vector<double> refusals;
  std::vector<LeaseId> leases;
  const uint64_t refused_before = refused;
  start = Clock::now();
  for (PlaceBid& bid : bids) {
    const auto a = Clock::now();
    const Outcome outcome = apply(std::move(bid));
    (outcome.answer ? matched : refusals).push_back(micros(Clock::now() - a));
    if (outcome.answer) leases.push_back(outcome.answer->leases.front());
  }
  report_rate("apply: PlaceBid, constrained, immediate-or-cancel", count, Clock::now() - start);
  report("  matched: escrow locked, lease made", matched);
  if (!refusals.empty()) report("  no_match, with reasons", refusals);
  fmt::print("  {} refused\n", refused - refused_before);
  std::vector<Accept> accepts;
  for (const LeaseId& id : leases) accepts.push_back({core.find_lease(id)->terms, {}});
  start = Clock::now();
  for (Accept& accept : accepts) apply(std::move(accept));
  report_rate("apply: Accept", accepts.size(), Clock::now() - start);
  std::vector<Heartbeat> beats;
  for (uint64_t p = 0; p < 5000; ++p) {
    Heartbeat beat;
    beat.heartbeat.provider = numbered<Address>(p);
    beat.heartbeat.sequence = 1;
    for (const Lease* lease : core.live_leases_of(numbered<Address>(p))) {
      eip712::LeaseStatus status;
      status.lease = lease->id;
      status.phase = 2;
      status.ran_ms = 2000;
      beat.heartbeat.leases.push_back(std::move(status));
    }
    beats.push_back(std::move(beat));
  }
  now.ms += 2000;
  start = Clock::now();
  for (Heartbeat& beat : beats) apply(std::move(beat));
  report_rate("apply: Heartbeat of 5,000 providers with their leases", 5000, Clock::now() - start);
  start = Clock::now();
  const Bytes snapshot = core.encode();
  fmt::print("{:<58} {:>8.1f} MB {:>10.1f} ms\n", "snapshot written",
             static_cast<double>(snapshot.size()) / 1e6, micros(Clock::now() - start) / 1000);
  start = Clock::now();
  const auto restored = Exchange::restore(snapshot);
  fmt::print("{:<58} {:>11} {:>10.1f} ms\n", "snapshot read", restored ? "" : "failed",
             micros(Clock::now() - start) / 1000);
}

}  // namespace
}  // namespace mizan

int main() {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  mizan::bids_against_many_asks();
  mizan::simple_orders();
  mizan::whole_core();
}
