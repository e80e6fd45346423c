// Which job a person means: an id's first digits, a job's name, or nothing for the newest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mizan/orders.hpp"
#include "mizan/session.hpp"

#include <optional>

namespace mizan::cli {

/// A lease of the account, and the order of this home that it came from, if it did.
struct FoundJob {
  LeaseId lease;
  json::value view;  ///< as GET /v1/leases/{id} gives it
  std::optional<OrderState> order;
};

/// `ref`: at least 4 hex digits of an order's or lease's id, with or without "0x"; or the name of a
/// job of this home; or "". Errors: not_found; invalid_argument if several fit.
Result<FoundJob> find_job(const Context& context, Session& session, const std::string& ref);

/// The lease, from the exchange.
Result<json::value> get_lease(Session& session, const LeaseId& lease);

}  // namespace mizan::cli
