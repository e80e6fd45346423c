// Matching with policy on against matching with it off: 1,000 parties, whole commands.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/eip712.hpp"
#include "support/policy_world.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <random>
#include <vector>

namespace mizan {
namespace {

using namespace exchange;

constexpr uint64_t kNow = 1'800'000'000;
constexpr uint64_t kParties = 1000;
constexpr uint64_t kAsks = 10'000;
constexpr size_t kBids = 40'000;

/// The time that this thread computed, in microseconds.
double used() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

Address party(uint64_t n) {
  Address out;
  out.bytes[0] = 1;
  out.bytes[18] = static_cast<uint8_t>(n >> 8);
  out.bytes[19] = static_cast<uint8_t>(n);
  return out;
}

struct Measured {
  double median_us = 0;
  double mean_us = 0;
  size_t matched = 0;
};

/// Bids of `kParties` / 2 buyers over asks of as many providers; each match is undone again.
Measured run(const test::Rules& rules) {
  std::mt19937_64 random(1);
  const auto pick = [&random](uint64_t n) { return random() % n; };
  Exchange core(RuleSets{{rules->hash(), rules}});
  UnixMs now{kNow * 1000};
  const auto apply = [&](Command command) {
    return core.apply({core.last_sequence() + 1, now, {}, std::move(command)});
  };
  Genesis genesis;
  genesis.identity = genesis.operator_ = genesis.meter = genesis.clearance = genesis.fee_to =
      party(60'000);
  Bytes seed(as_bytes("mizan-exchange").begin(), as_bytes("mizan-exchange").end());
  seed.insert(seed.end(), genesis.identity.bytes.begin(), genesis.identity.bytes.end());
  genesis.exchange_id = keccak256(seed);
  genesis.rule_set = rules->hash();
  genesis.policy = test::kOptions;
  genesis.limits.open_orders = 1000;
  apply(genesis);
  static constexpr const char* kCountries[] = {"US", "DE", "SG", "JP", "GB", "IN", "FR", "AU"};
  for (uint64_t n = 0; n < kParties; ++n) {
    PartyFacts facts;
    facts.issuer = test::kIssuer;
    facts.person = keccak256("p" + std::to_string(n));
    facts.group = keccak256("g" + std::to_string(n / 3));
    facts.country = facts.hq = test::place(kCountries[pick(8)]);
    facts.parent_hq = test::place(pick(3) == 0 ? "n/a" : kCountries[pick(8)]);
    facts.lists = policy::Fact<std::vector<policy::ListMatch>>::of({});
    facts.listed_owners = policy::Fact<std::vector<policy::ListedOwner>>::of({});
    facts.expires_at = kNow + 1'000'000;
    apply(ProveFacts{party(n), facts});
    apply(Grant{{party(n), u128{1} << 90, n, kNow + 1000}, {}});
  }
  const auto& chips = test::shipped_rules()->chips();
  for (uint64_t n = 0; n < kAsks; ++n) {
    PlaceAsk ask;
    ask.ask.provider = party(n % (kParties / 2));
    const policy::Chip& chip = chips[pick(8) * 4 % chips.size()];
    ask.ask.chip = chip.name;
    ask.ask.nodes = 1;
    ask.ask.units_per_node = 8;
    ask.ask.min_units = 1;
    ask.ask.rate = 10'000 + pick(20'000);
    ask.ask.until = kNow + 1'000'000;
    ask.ask.max_seconds = 100'000;
    ask.ask.nonce = n;
    ask.attributes = fmt::format(
        R"({{"cores":{{"source":"measured","value":{}}},"device_memory_gb":{{"source":"measured",)"
        R"("value":{}}},"country":{{"source":"self_reported","value":"{}"}},)"
        R"("licence_conditions":{{"source":"self_reported","value":[]}}}})",
        8ULL << pick(4), chip.memory_GB.value.nano / policy::kNano, kCountries[pick(8)]);
    apply(std::move(ask));
  }
  Measured out;
  std::vector<double> samples;
  for (size_t i = 0; i < kBids; ++i) {
    PlaceBid bid;
    bid.bid.buyer = party(kParties / 2 + pick(kParties / 2));
    bid.bid.meter = genesis.meter;
    bid.bid.max_rate = 40'000;
    bid.bid.nodes = 1;
    bid.bid.units_per_node = static_cast<uint32_t>(1 + pick(4));
    bid.bid.max_seconds = 3600;
    bid.bid.latest_start = bid.bid.valid_until = kNow + 100'000;
    bid.bid.grace = 60;
    bid.bid.max_total = ~u128{0};
    bid.bid.nonce = 4 * i;
    bid.spec =
        test::PolicyWorld::declared(test::kCommercial, true,
                                    fmt::format("cores>={} country in {},{}", 8ULL << pick(3),
                                                kCountries[pick(8)], kCountries[pick(8)]));
    const double before = used();
    const Outcome outcome = apply(std::move(bid));
    const double took = used() - before;
    if (!outcome.answer) continue;
    samples.push_back(took);
    apply(RequestClose{{outcome.answer->leases.front(), 1, kNow + 1000, 0}, {}});
  }
  for (const double one : samples) out.mean_us += one / static_cast<double>(samples.size());
  out.matched = samples.size();
  std::sort(samples.begin(), samples.end());
  out.median_us = samples[samples.size() / 2];
  return out;
}

void report(const char* what, const Measured& result, const Measured& off) {
  fmt::print("{:<46} {:>7} matched  p50 {:>7.2f} us  mean {:>7.2f} us  {:.2f} of off\n", what,
             result.matched, result.median_us, result.mean_us, off.median_us / result.median_us);
}

}  // namespace
}  // namespace mizan

int main() {
  using namespace mizan;
  const auto empty = std::make_shared<const policy::RuleSet>(policy::RuleSet::empty());
  const Measured off = run(empty);
  report("PlaceBid, policy off (the empty rule set)", off, off);
  report("PlaceBid, the shipped rules", run(test::shipped_rules()), off);
  const auto limits =
      test::make_rules(test::one_rule("operator.limit", R"({"fact":"units","at_least":1000000})"));
  report("PlaceBid, and a limit on a group's units", run(limits), off);
  report("PlaceBid, policy off, again", run(empty), off);
}
