// The figures of a case's item, from the chip table or from the case itself.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/rule_set.hpp"

#include <string_view>

namespace mizan::policy {

/// The figures of the case's item, from the chip table or the case. Refers to both.
struct ItemFacts {
  Known known = Known::unknown;
  Evidence evidence = Evidence::proven;
  const Chip* chip = nullptr;  ///< if the chip table has it
  Fact<std::string_view> name;
  Fact<Decimal> tpp;
  Fact<Decimal> die_mm2;
  Fact<Decimal> dram_GBps;
  Fact<Decimal> interconnect_GBps;
  Fact<bool> datacenter;
  Fact<Decimal> hbm_bandwidth;
  Fact<Decimal> hbm_area;
  Fact<bool> hbm_co_packaged;
  bool datacenter_from_case = false;
  std::string_view tpp_column;  ///< the width that gave the tpp: "dense8"
};

/// What the rules read of the case's item.
ItemFacts item_facts(const RuleSet& rules, const Case& subject);

/// The weakest evidence of any fact of the case.
Evidence weakest_of(const Case& subject);

}  // namespace mizan::policy
