// What the chain desk calls its entries, and what it brings of a lease.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/state.hpp"
#include "settlement/escrow_calls.hpp"

#include <string>
#include <vector>

namespace mizan::service {

/// Of the transactions with openings that wait for a block at once. What frees money passes them:
/// an outbox has 32 places.
inline constexpr size_t kMostOpenings = 24;

/// An opening's name: another one for each attempt.
std::string opening_name(const exchange::Lease& lease);
/// What an entry's id names: one thing behind a colon, or a batch's, with "+" between them.
std::vector<std::string> names_in(const std::string& id);

settlement::OpenItem open_item(const exchange::Lease& lease);
/// Of a lease with its provider's Close.
settlement::CloseItem close_item(const exchange::Lease& lease);

}  // namespace mizan::service
