// The messages that the exchange signs about a lease, made from its record.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/state.hpp"

namespace mizan::exchange {

/// Of one that was accepted: good for 60 s, on a chain of its latest attempt; the same each time it
/// is asked for.
eip712::Clearance clearance_of(const Lease& lease);
/// The last voucher taken.
eip712::Voucher voucher_of(const Lease& lease);
/// Of a lease that was funded and is over.
eip712::Receipt receipt_of(const Lease& lease);
/// Whether the provider's Close may have ended it, which is over: the contract takes none that asks
/// for more than it pays, in whole units of a token with six decimals or more.
bool ended_by_close(const Lease& lease);

}  // namespace mizan::exchange
