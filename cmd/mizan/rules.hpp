// Where rule files are found and how they are read.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mizan/command.hpp"
#include "policy/rule_set.hpp"

namespace mizan::cli {

/// The rules that came with this program: what MIZAN_RULES names, or `policy` beside it, in
/// ../share/mizan, in the repository that it was built in, or in /usr/share/mizan.
std::filesystem::path shipped_rules(const Context& context);

/// The .json files of the folders, name to text; names that are there twice get their folder's
/// number in front. A folder or file that cannot be read is invalid_argument and says where.
Result<std::map<std::string, std::string>> read_rule_files(
    const std::vector<std::filesystem::path>& folders);

/// Every .json file of the folders as one rule set: the shipped rules and an operator's own, say. A
/// folder or file that cannot be read, or a rule that does not load, is invalid_argument (exit code
/// 2) and says where.
Result<policy::RuleSet> load_rules(const std::vector<std::filesystem::path>& folders);

}  // namespace mizan::cli
