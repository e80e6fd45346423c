// The rules of a simulated world.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/exchange.hpp"

#include <array>

namespace mizan::simulation {

/// Rules that most deals pass, some wait under and some are blocked by; two sets of them.
const std::array<std::shared_ptr<const policy::RuleSet>, 2>& simulated_rule_sets();
exchange::RuleSets simulated_rules();

}  // namespace mizan::simulation
