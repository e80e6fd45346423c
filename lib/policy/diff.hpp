// What-if: two rule sets, or one on two days, over the chip table and over cases.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/judge.hpp"

#include <span>

namespace mizan::policy {

/// One side of a comparison. Cases keep their own date unless `day` is given; chips are classed on
/// `day`, or on the last day of the calendar.
struct Side {
  const RuleSet& rules;
  std::optional<Date> day{};
  Options options{};
};

/// A chip whose class differs; "absent" where a rule set does not have it.
struct ChipChange {
  std::string chip;
  std::string before;
  std::string after;
};

/// A case whose verdict differs.
struct Flip {
  size_t place = 0;  ///< in the list of cases
  std::string id;
  Outcome before = Outcome::allow;
  Outcome after = Outcome::allow;
  Disposition was = Disposition::pass;
  Disposition is = Disposition::pass;
  std::string rule;  ///< the worst finding of `after`; "" where none spoke
};

struct Difference {
  std::vector<ChipChange> chips;  ///< by name
  std::vector<Flip> flips;        ///< in the order of the cases
  size_t cases = 0;
};

/// Pure. Rules that differ and change no verdict do not show.
Difference compare(const Side& before, const Side& after, std::span<const Case> cases);

/// One line of JSON: {"before","after","chips":[{"chip","before","after"}],"cases",
/// "flips":[{"id","before","after","was","is","rule"}]}.
std::string difference_json(const Side& before, const Side& after, const Difference& difference);

}  // namespace mizan::policy
