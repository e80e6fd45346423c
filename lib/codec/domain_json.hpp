// The EIP-712 domain as JSON: {name, version, salt}, or {name, version, chainId,
// verifyingContract}. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "crypto/eip712.hpp"

namespace mizan {

json::object domain_json(const eip712::Domain& domain);

/// Reads the member "domain" of an exchange's answer or of a receipt, which may be absent (null):
/// then it is of kind credits. A salt that is not `exchange_id`, and whatever is of neither kind,
/// is invalid_argument.
Result<eip712::Domain> read_domain(const json::value& value, const Hash32& exchange_id);

}  // namespace mizan
