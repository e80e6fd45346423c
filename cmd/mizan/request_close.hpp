// The buyer's signed end of a lease.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mizan/session.hpp"

namespace mizan::cli {

/// Signs it and hands it to the exchange, which brings it to the contract where that holds the
/// money: good for an hour, should the chain be slow to take it. The exchange's answer.
Result<json::value> request_close(Session& session, const LeaseId& lease);

}  // namespace mizan::cli
