// A market of asks and bids as benchmarks use it: 60 chips, some rare, over 40 countries.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "market/order.hpp"

#include <random>
#include <string>
#include <vector>

namespace mizan::bench {

inline constexpr uint64_t kNow = 1'800'000'000;

/// An id with the number in its last eight bytes; those before are as evenly spread as a digest's.
template <class Id>
Id numbered(uint64_t n) {
  Id id;
  const uint64_t spread = (n + 1) * 0x9e3779b97f4a7c15U;
  for (size_t i = 0; i < 8; ++i) {
    id.bytes[i] = static_cast<uint8_t>(spread >> (56 - 8 * i));
    id.bytes[id.bytes.size() - 1 - i] = static_cast<uint8_t>(n >> (8 * i));
  }
  return id;
}

/// Prices follow the chip.
class Market {
 public:
  explicit Market(uint64_t seed) : random(seed) {
    for (int i = 0; i < 60; ++i) chips.push_back("chip " + std::to_string(i));
    for (int i = 0; i < 40; ++i) countries.push_back("C" + std::to_string(i));
  }
  uint64_t pick(uint64_t n) { return random() % n; }
  size_t some_chip() { return std::min(pick(60), pick(60)); }  // low numbers are common

  market::Ask ask(uint64_t n) {
    market::Ask out;
    const size_t chip = some_chip();
    out.id = numbered<OrderId>(n);
    out.provider = numbered<Address>(n % 5000);
    out.sequence = n;
    out.rate = Rate{10'000 * (chip + 1) + pick(20'000 * (chip + 1))};
    out.nodes = static_cast<uint32_t>(pick(4) + 1);
    out.units_per_node = static_cast<uint32_t>(1ULL << pick(4));
    out.min_units = 1;
    out.until = kNow + 1'000'000;
    out.max_seconds = 100'000;
    market::Attributes& a = out.attributes;
    a.number(market::Field::units) = out.units_per_node * 1000;
    a.number(market::Field::nodes) = out.nodes * 1000;
    a.number(market::Field::rate) = static_cast<market::Milli>(out.rate.nano) * 1000;
    a.number(market::Field::memory_gb) = static_cast<market::Milli>(8ULL << pick(8)) * 1000;
    a.number(market::Field::cores) = static_cast<market::Milli>(2ULL << pick(7)) * 1000;
    a.number(market::Field::disk_gb) = static_cast<market::Milli>(pick(4000)) * 1000;
    a.number(market::Field::reliability) = static_cast<market::Milli>(1000 - pick(100));
    a.word(market::Field::chip) = chips[chip];
    a.word(market::Field::country) = countries[std::min(pick(40), pick(40))];
    a.word(market::Field::measured) = pick(2) == 0 ? "true" : "false";
    return out;
  }
  /// Three to five clauses of the kind that a job has.
  std::string query(bool with_reliability = true) {
    std::string out = "chip='" + chips[some_chip()] +
                      "' memory_gb>=" + std::to_string(4ULL << pick(6)) +
                      " cores>=" + std::to_string(1ULL << pick(5));
    if (pick(2) == 0) out += " country in " + countries[pick(40)] + "," + countries[pick(40)];
    if (with_reliability && pick(2) == 0) out += " reliability>=0.95";
    return out;
  }
  market::Demand demand(const std::string& query) {
    market::Demand out;
    out.buyer = numbered<Address>(1'000'000);
    out.sequence = 1'000'000'000;
    out.max_rate = Rate{2'000'000};
    out.nodes = 1;
    out.units = static_cast<uint32_t>(1ULL << pick(3));
    out.max_seconds = 3600;
    out.max_total = Money{~u128{0}};
    out.query = *market::parse_query(query);
    return out;
  }

  std::mt19937_64 random;
  std::vector<std::string> chips;
  std::vector<std::string> countries;
};

}  // namespace mizan::bench
