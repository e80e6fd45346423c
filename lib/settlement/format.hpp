// The format of what an outbox writes into its journal.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace mizan::settlement {

/// It goes up when the shape of the outbox's records or of its state changes.
inline constexpr uint32_t kOutboxFormat = 1;

}  // namespace mizan::settlement
