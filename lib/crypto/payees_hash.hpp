// The hash of a list of payees, as it stands in Ask and Terms.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/payee.hpp"

namespace mizan {

/// Keccak-256 over each payee's address and share, a 32-byte word each; zero for none.
Hash32 payees_hash(const std::vector<Payee>& payees);

}  // namespace mizan
