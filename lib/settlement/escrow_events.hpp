// The contract's events, read from a node's logs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "exchange/chain_facts.hpp"
#include "settlement/abi.hpp"

#include <optional>
#include <variant>
#include <vector>

namespace mizan::settlement {

using exchange::chain::BidsCancelled;
using exchange::chain::Claimed;
using exchange::chain::ClearanceKeyIs;
using exchange::chain::Closed;
using exchange::chain::CloseRequested;
using exchange::chain::Deposited;
using exchange::chain::Opened;
using exchange::chain::Paused;
using exchange::chain::RelayPaid;
using exchange::chain::Withdrawn;

// And those that no exchange needs to hear of.
struct Skipped {
  LeaseId lease;
  Selector reason{};
  friend bool operator==(const Skipped&, const Skipped&) = default;
};
struct ClearanceKeyProposed {
  Address key;
  uint64_t from = 0;
  friend bool operator==(const ClearanceKeyProposed&, const ClearanceKeyProposed&) = default;
};

using EscrowEvent =
    std::variant<Deposited, Withdrawn, RelayPaid, Opened, Claimed, CloseRequested, Closed, Skipped,
                 BidsCancelled, Paused, ClearanceKeyIs, ClearanceKeyProposed>;

/// A log as a node tells it.
struct Log {
  Address address;
  std::vector<Hash32> topics;
  Bytes data;
  uint64_t block = 0;
  Hash32 block_hash;
  Hash32 transaction;
  uint64_t index = 0;  ///< in its block
};

/// An error (unavailable: the node's word can't be right) for a log that this contract does not
/// write.
Result<EscrowEvent> read_event(const Log& log);

}  // namespace mizan::settlement
