// judge(): a case and a rule set in, a verdict out.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/rule_set.hpp"

namespace mizan::policy {

struct Options {
  bool pending = false;  ///< also what is not in force: in the text but not enforced, or pending
};

/// Pure: the same case and rule set give the same verdict. Takes a few microseconds.
Verdict judge(const RuleSet& rules, const Case& subject, const Options& options = {});

/// The jurisdictions of the case's countries for which the rule set has no rule, sorted.
std::vector<std::string> not_assessed(const RuleSet& rules, const Case& subject);

/// "3A090.a.1", "none", or "unknown" where facts are missing.
std::string class_name(const RuleSet& rules, uint32_t classes);

/// An upper bound of the work of `units` chips in `seconds`, in 10^12 operations: the chip's
/// highest dense rate, rounded up, times both. Not found: a chip without figures.
Result<uint64_t> training_work(const RuleSet& rules, std::string_view chip, uint64_t units,
                               uint64_t seconds);

}  // namespace mizan::policy
