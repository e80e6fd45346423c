// Conditions of rules, compiled: a small tree over facts, evaluated in Kleene's three values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/case.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mizan::policy {

/// Ordered so that "and" is the least and "or" the greatest.
enum class Truth : uint8_t { no, unknown, yes };

using NodeId = uint32_t;

enum class Op : uint8_t {
  all,
  any,
  negate,
  date_from,
  date_before,
  operation_in,
  end_use_in,
  class_in,
  chip_in,
  country_in,     // origin, location, destination
  flag_is,        // training, datacenter_marketed, hbm_co_packaged
  number,         // tpp, dram_bandwidth, interconnect
  ratio,          // pd, hbm_density
  count,          // units, training_work
  list_includes,  // certifications, notices
  party_in,
  party_in_condition,
  party_listed,
  party_owned
};

/// The facts that a condition may name, beside those of parties.
enum class FactId : uint8_t {
  none,
  operation,
  end_use,
  item_class,
  chip,
  origin,
  location,
  destination,
  training,
  datacenter_marketed,
  hbm_co_packaged,
  tpp,
  dram_bandwidth,
  interconnect,
  pd,
  hbm_density,
  units,
  training_work,
  certifications,
  notices
};

enum class Compare : uint8_t { at_least, above, below };

/// Bits of Node::party_facts.
inline constexpr uint8_t kPartyCountry = 1;
inline constexpr uint8_t kPartyHq = 2;
inline constexpr uint8_t kPartyParentHq = 4;

struct Node {
  Op op = Op::all;
  FactId fact = FactId::none;
  Compare compare = Compare::at_least;
  Evidence least = Evidence::proven;  ///< weaker facts may count as unknown
  ListEffect effect = ListEffect::licence;
  bool wanted = true;  ///< flag_is; party_in: false asks for a country outside of the set
  uint8_t party_facts = 0;
  uint32_t mask = 0;   ///< operations, end uses, roles or classes, as bits
  uint32_t first = 0;  ///< all, any, negate: the place of the first child in Conditions::children
  uint32_t size = 0;   ///< and their number
  uint32_t set = 0;    ///< a place in places, names or kinds
  int64_t number = 0;  ///< a threshold in nano, a count, or a day
};

/// All compiled conditions of a rule set, and the sets that they point to.
struct Conditions {
  std::vector<Node> nodes;
  std::vector<NodeId> children;
  std::vector<CountryTest> places;
  std::vector<std::vector<std::string>> names;  ///< chip names, or one certification or notice
  std::vector<std::string> kinds;               ///< of licence conditions
};

}  // namespace mizan::policy
