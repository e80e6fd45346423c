// Outputs on their way home: fetched, checked, opened with the order's key, unpacked safely.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mizan/orders.hpp"
#include "mizan/session.hpp"
#include "mizan/terminal.hpp"

namespace mizan::cli {

struct FetchedOutputs {
  fs::path folder;
  uint64_t files = 0;
  uint64_t bytes = 0;
};

/// Fetches the artifact `outputs` of a lease and unpacks it into `folder`, which must not be there
/// yet, with a session for orders: it appears whole or not at all. Everything from the provider is
/// taken for hostile: the hash, the seal, names that climb, links, devices and set-id bits are
/// checked.
Result<FetchedOutputs> fetch_outputs(const Context& context, Session& session,
                                     const OrderState& order, const Hash32& outputs,
                                     const fs::path& folder, StatusLine* status);

/// GET /v1/leases/{id}/receipt, also written to receipt.json in the order's folder.
Result<json::value> fetch_receipt(const Context& context, Session& session, const LeaseId& lease,
                                  const OrderState* order);

/// Where a job's outputs go when nothing else was said: "mizan-NAME-1234abcd" in `base`.
fs::path default_outputs_folder(const fs::path& base, const std::string& name,
                                const OrderId& order);

}  // namespace mizan::cli
