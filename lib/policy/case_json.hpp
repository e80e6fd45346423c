// Cases from JSON: the case file of `mizan policy check`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "policy/rule_set.hpp"

namespace mizan::policy {

/// Reads one case (policy/schema/case.json has the format). `path` names it in errors; an unknown
/// field, a day or country that does not exist, a share above 1 or a chip that the chip table does
/// not have is an error that names the field, with the nearest known word. `value` was parsed from
/// text that went through quote_decimals.
Result<Case> read_case(const RuleSet& rules, const json::value& value, const std::string& path);

}  // namespace mizan::policy
