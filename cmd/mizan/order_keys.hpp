// The keys of one order. They follow from the account's own key and the bid's first nonce, so that
// they lie nowhere, and a client that comes back has them again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/key.hpp"
#include "crypto/sealed.hpp"

namespace mizan::cli {

/// Opens the order's outputs.
BoxKey output_key_of(const SecretKey& account, const Hash32& exchange, uint64_t bid_nonce);
/// Meters the order, where its buyer does.
SecretKey meter_key_of(const SecretKey& account, const Hash32& exchange, uint64_t bid_nonce);

}  // namespace mizan::cli
