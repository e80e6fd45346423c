// The contract's events, read from a node's logs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/checked.hpp"
#include "base/fields.hpp"
#include "settlement/abi.hpp"

#include <optional>
#include <variant>
#include <vector>

namespace mizan::settlement {

// As in contracts/src/IComputeEscrow.sol; amounts in the token's base units, times in seconds.
struct Deposited {
  Address owner;
  u128 amount = 0;
  friend bool operator==(const Deposited&, const Deposited&) = default;
};
struct Withdrawn {
  Address owner;
  Address to;
  u128 amount = 0;
  friend bool operator==(const Withdrawn&, const Withdrawn&) = default;
};
struct RelayPaid {
  Address owner;
  Address relayer;
  u128 amount = 0;
  friend bool operator==(const RelayPaid&, const RelayPaid&) = default;
};
struct Opened {
  LeaseId lease;
  u128 escrow = 0;
  friend bool operator==(const Opened&, const Opened&) = default;
};
struct Claimed {
  LeaseId lease;
  u128 amount = 0;
  u128 fee = 0;  ///< part of the amount
  friend bool operator==(const Claimed&, const Claimed&) = default;
};
struct CloseRequested {
  LeaseId lease;
  uint64_t stop = 0;
  u128 refunded = 0;
  friend bool operator==(const CloseRequested&, const CloseRequested&) = default;
};
struct Closed {
  LeaseId lease;
  u128 amount = 0;
  u128 fee = 0;  ///< part of the amount
  u128 refunded = 0;
  friend bool operator==(const Closed&, const Closed&) = default;
};
struct Skipped {
  LeaseId lease;
  Selector reason{};
  friend bool operator==(const Skipped&, const Skipped&) = default;
};
struct BidsCancelled {
  Address owner;
  uint64_t word = 0;
  U256 mask;
  friend bool operator==(const BidsCancelled&, const BidsCancelled&) = default;
};
struct Paused {
  bool paused = false;
  friend bool operator==(const Paused&, const Paused&) = default;
};
/// The key in force from now on; zero: none.
struct ClearanceKeyIs {
  Address key;
  friend bool operator==(const ClearanceKeyIs&, const ClearanceKeyIs&) = default;
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
