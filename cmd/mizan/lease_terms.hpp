// What a buyer's client signs vouchers for: terms that its own bid allows, whatever is told.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/eip712.hpp"

namespace mizan::cli {

/// Whether `terms` are those of `lease`, are within `bid`, and are metered by `meter`: an error
/// (unauthenticated) that names the field if not.
Result<void> check_lease_terms(const eip712::Domain& domain, const eip712::Bid& bid,
                               const Address& meter, const LeaseId& lease,
                               const eip712::Terms& terms);

}  // namespace mizan::cli
