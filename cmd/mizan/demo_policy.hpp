// The demo's three deals before the rules: one allowed, one held, one refused.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mizan/demo_market.hpp"
#include "mizan/terminal.hpp"

#include <boost/json/array.hpp>

namespace mizan::cli {

/// Shows what policy said of `trained` (a lease, as the API gives it), then two more orders: one
/// that an officer decides, one that the rules forbid. Each as {"deal": "allowed", "held" or
/// "refused", "verdict", "because", "lease", "decision"}.
Result<boost::json::array> show_verdicts(const Terminal& terminal, DemoMarket& market,
                                         const boost::json::value& trained);

}  // namespace mizan::cli
