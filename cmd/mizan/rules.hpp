// Where rule files are found and how they are read.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mizan/command.hpp"
#include "policy/rule_set.hpp"

namespace mizan::cli {

/// The rules that came with this program: `policy` beside it, in ../share/mizan, or in the
/// repository that it was built in.
std::filesystem::path shipped_rules(const Context& context);

/// Every .json file of a folder as one rule set. A folder or file that cannot be read, or a rule
/// that does not load, is invalid_argument (exit code 2) and says where.
Result<policy::RuleSet> load_rules(const std::filesystem::path& folder);

}  // namespace mizan::cli
