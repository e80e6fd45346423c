// Queries as people type them: rates in USD a unit-hour.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <string>

namespace mizan::cli {

/// The same query with every `rate OP USD` in nano-USD a unit-second, rounded so that each offer
/// falls on the side of the limit where its exact rate does. The exchange checks all else.
Result<std::string> query_in_nano(const std::string& query);

}  // namespace mizan::cli
