// RLP: how Ethereum lays out what a transaction's signature covers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/checked.hpp"

namespace mizan::settlement {

/// One byte string.
Bytes rlp_bytes(ByteView bytes);
/// A number: big-endian without leading zeros; zero is the empty string.
Bytes rlp_number(u128 number);
/// A list of items that are encoded and joined already.
Bytes rlp_list(ByteView items);

}  // namespace mizan::settlement
