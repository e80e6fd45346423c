// Why a condition holds, does not hold, or cannot be decided.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/facts.hpp"

#include <map>
#include <set>
#include <string>

namespace mizan::policy {

/// What a finding rests on. `facts` maps a fact's name ("class", "buyer.parent_hq") to the JSON
/// texts of its values; `missing` names the facts whose absence or weakness leaves it open, as a
/// case file spells them.
struct Grounds {
  std::map<std::string, std::set<std::string>> facts;
  std::set<std::string> missing;
  bool unverified = false;  ///< some value that it rests on is unverified
};

/// The grounds of one condition under one view, for the value that it has there.
Grounds explain(const Facts& facts, NodeId condition, View view);

/// A JSON string.
std::string quoted(std::string_view text);

}  // namespace mizan::policy
