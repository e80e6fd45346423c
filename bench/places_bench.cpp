// Free keys take every place for asks: who is honest is served on, and memory stays bounded.
// `places_bench [PLACES] [ASKS] [LIVE]`: ASKS asks, 200 a second of the core's time, of ever new
// keys or, with LIVE, of so many in turn, which are live all the time. Every two minutes an honest
// stranger comes with one ask, and stays.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/hash.hpp"
#include "exchange/exchange.hpp"
#include "market_world.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>

namespace mizan {
namespace {

using namespace exchange;
using bench::numbered;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kEveryMs = 5;        // an ask of the attacker's
constexpr uint64_t kBeatsEvery = 1000;  // asks, of which are 5 s
constexpr uint64_t kComesEvery = 24'000;
constexpr uint64_t kHonest = 1'000'000'000;

uint64_t resident_mb() {
  std::ifstream file("/proc/self/statm");
  uint64_t size = 0;
  uint64_t resident = 0;
  file >> size >> resident;
  return resident * 4096 >> 20;
}

struct Attack {
  explicit Attack(uint32_t places) {
    Genesis genesis;
    genesis.operator_ = numbered<Address>(1);
    genesis.identity = numbered<Address>(2);
    genesis.meter = numbered<Address>(3);
    genesis.clearance = numbered<Address>(4);
    genesis.fee_to = numbered<Address>(5);
    genesis.limits.all_asks = places;
    Bytes seed(as_bytes("mizan-exchange").begin(), as_bytes("mizan-exchange").end());
    for (const uint8_t byte : genesis.identity.bytes) seed.push_back(byte);
    genesis.exchange_id = keccak256(seed);
    apply(genesis);
  }
  Outcome apply(Command command) {
    return core.apply({core.last_sequence() + 1, {now_ms}, {}, std::move(command)});
  }
  PlaceAsk ask(uint64_t provider) {
    PlaceAsk out;
    out.ask.provider = numbered<Address>(provider);
    out.ask.chip = "cpu";
    out.ask.nodes = out.ask.units_per_node = out.ask.min_units = 1;
    out.ask.rate = 10 + nonce % 1000;
    out.ask.until = bench::kNow + 1'000'000'000;
    out.ask.max_seconds = 1000;
    out.ask.nonce = ++nonce;
    out.attributes = attributes;
    return out;
  }
  void come() {
    const Outcome outcome = apply(ask(kHonest + honest.size()));
    if (outcome.answer)
      honest.push_back(outcome.answer->order);
    else
      ++turned_away;
  }
  void beat() {
    for (size_t i = 0; i < honest.size(); ++i) {
      apply(Heartbeat{{numbered<Address>(kHonest + i), ++beats, now_ms, {}}, {}});
      const auto offer = core.find_ask(honest[i]);
      if (!offer || !offer->live) ++lost;
    }
  }

  Exchange core;
  std::string attributes =
      R"({"cores":{"source":"measured","value":16},"memory_gb":{"source":"measured","value":64}})";
  uint64_t now_ms = bench::kNow * 1000;
  uint64_t nonce = 0;
  uint64_t beats = 0;
  std::vector<OrderId> honest;
  uint64_t turned_away = 0;
  uint64_t lost = 0;
};

void run(uint32_t places, uint64_t asks, uint64_t live) {
  Attack attack(places);
  const uint64_t piece = std::max<uint64_t>(asks / 8, 1);
  uint64_t taken = 0;
  Clock::duration took{};
  for (uint64_t i = 0; i < asks; ++i) {
    attack.now_ms += kEveryMs;
    PlaceAsk ask = attack.ask(100 + (live == 0 ? i : i % live));
    const auto start = Clock::now();
    taken += attack.apply(std::move(ask)).answer ? 1 : 0;
    took += Clock::now() - start;
    if (i % kBeatsEvery == 0) attack.beat();
    if (i % kComesEvery == 0) attack.come();
    if ((i + 1) % piece != 0) continue;
    fmt::print(
        "{:>8} asks, {:>8} taken, {:>5.1f} us each; honest: {} came, {} turned away, {} lost; "
        "{} MB\n",
        i + 1, taken,
        std::chrono::duration<double, std::micro>(took).count() / static_cast<double>(piece),
        attack.honest.size(), attack.turned_away, attack.lost, resident_mb());
    took = {};
  }
}

}  // namespace
}  // namespace mizan

int main(int argc, char** argv) {
  const auto number = [&](int i, uint64_t otherwise) {
    return argc > i ? std::strtoull(argv[i], nullptr, 10) : otherwise;
  };
  mizan::run(static_cast<uint32_t>(number(1, 1'000'000)), number(2, 1'600'000), number(3, 0));
  return 0;
}
