// Raw transactions read back: what a node has to make of eth_sendRawTransaction.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "settlement/transaction.hpp"

namespace mizan::test {

struct RawTransaction {
  settlement::Transaction transaction;
  Address from;
  Hash32 hash;
};

/// Of EIP-1559, without an access list. invalid_argument for anything else; unauthenticated where
/// nobody signed it.
Result<RawTransaction> read_raw(ByteView raw);

}  // namespace mizan::test
