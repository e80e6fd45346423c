// What an exchange hears of its escrow contract: the events that matter to it, in commands.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/checked.hpp"
#include "base/fields.hpp"
#include "ledger/place.hpp"

#include <string>
#include <variant>
#include <vector>

namespace mizan::exchange {

/// The contract's events, as in contracts/src/IComputeEscrow.sol; amounts in the token's base
/// units, times in seconds.
namespace chain {

struct Deposited {
  Address owner;
  u128 amount = 0;
  friend bool operator==(const Deposited&, const Deposited&) = default;
  MIZAN_FIELDS(owner, amount)
};
struct Withdrawn {
  Address owner;
  Address to;
  u128 amount = 0;
  friend bool operator==(const Withdrawn&, const Withdrawn&) = default;
  MIZAN_FIELDS(owner, to, amount)
};
struct RelayPaid {
  Address owner;
  Address relayer;
  u128 amount = 0;
  friend bool operator==(const RelayPaid&, const RelayPaid&) = default;
  MIZAN_FIELDS(owner, relayer, amount)
};
struct Opened {
  LeaseId lease;
  u128 escrow = 0;
  uint64_t time = 0;  ///< of its block: whoever reads the log adds it
  friend bool operator==(const Opened&, const Opened&) = default;
  MIZAN_FIELDS(lease, escrow, time)
};
struct Claimed {
  LeaseId lease;
  u128 amount = 0;
  u128 fee = 0;  ///< part of the amount
  friend bool operator==(const Claimed&, const Claimed&) = default;
  MIZAN_FIELDS(lease, amount, fee)
};
struct CloseRequested {
  LeaseId lease;
  uint64_t stop = 0;
  u128 refunded = 0;
  friend bool operator==(const CloseRequested&, const CloseRequested&) = default;
  MIZAN_FIELDS(lease, stop, refunded)
};
struct Closed {
  LeaseId lease;
  u128 amount = 0;
  u128 fee = 0;  ///< part of the amount
  u128 refunded = 0;
  friend bool operator==(const Closed&, const Closed&) = default;
  MIZAN_FIELDS(lease, amount, fee, refunded)
};
struct BidsCancelled {
  Address owner;
  uint64_t word = 0;
  U256 mask;
  friend bool operator==(const BidsCancelled&, const BidsCancelled&) = default;
  MIZAN_FIELDS(owner, word, mask)
};
struct Paused {
  bool paused = false;
  friend bool operator==(const Paused&, const Paused&) = default;
  MIZAN_FIELDS(paused)
};
/// The key in force from now on; zero: none.
struct ClearanceKeyIs {
  Address key;
  friend bool operator==(const ClearanceKeyIs&, const ClearanceKeyIs&) = default;
  MIZAN_FIELDS(key)
};

}  // namespace chain

/// New kinds go at the end: the index is the tag in the journal.
using ChainFact = std::variant<chain::Deposited, chain::Withdrawn, chain::RelayPaid, chain::Opened,
                               chain::Claimed, chain::CloseRequested, chain::Closed,
                               chain::BidsCancelled, chain::Paused, chain::ClearanceKeyIs>;

/// Of the chains that developers run for themselves: no money is on it.
inline constexpr uint64_t kDevelopmentChain = 31337;

/// The chain that an exchange settles on; nothing of it ever changes.
struct ChainSettlement {
  uint64_t chain_id = 0;
  Address contract;
  Address token;
  uint8_t decimals = 0;  ///< of the token, 6 to 18
  uint64_t close_delay_s = 0;
  uint64_t depth = 0;   ///< blocks on top of an event's before it is told of
  ledger::Place first;  ///< the block before the contract's own
  /// nano-USD; no lease with less is made, since the exchange pays the gas of each.
  u128 least_escrow = 0;
  MIZAN_FIELDS(chain_id, contract, token, decimals, close_delay_s, depth, first, least_escrow)
};

// Commands, none of them signed: the word of the service that follows the chain.

/// What the contract told in the blocks after the last place, up to `to`, in the chain's order.
/// `corrupted` for facts that contradict those before them: then nothing was changed.
struct ChainSeen {
  ledger::Place to;
  std::vector<ChainFact> facts;
  MIZAN_FIELDS(to, facts)
};
/// The chain turned: whatever was seen past `back_to` did not happen. `not_found` unless that is
/// the base (Exchange::chain) or one of the places.
struct ChainTakenBack {
  ledger::Place back_to;
  MIZAN_FIELDS(back_to)
};
/// The opening that OpenWanted asked for was never sent: the contract refuses it, a node said when
/// it was tried there. That node has seen it, signed, and could send it itself while the clearance
/// lasts, where the refusal was a lie: then the lease is open and never served, and its buyer gets
/// all back by its own stop or the end of the lease. Or the contract refused it in a block, and its
/// clearance is over there.
struct NotOpened {
  Hash32 lease;
  std::string reason;  ///< at most 64 of a-z 0-9 _
  MIZAN_FIELDS(lease, reason)
};
/// The account that pays for transactions has too little for new leases, or enough again, as the
/// operator measures it. Those that are matched go on.
struct ChainGas {
  bool low = false;
  MIZAN_FIELDS(low)
};
/// The key with which the exchange signs clearances from now on: the operator has put it in the
/// place of the one before, which was stolen, say.
struct UseClearanceKey {
  Address key;
  MIZAN_FIELDS(key)
};

/// The chain has not been heard for long, or is heard again. While it is away no lease opens, and
/// no voucher is due: a buyer may have stopped its lease there, and what the contract would not pay
/// is promised to nobody.
struct ChainAway {
  bool away = false;
  MIZAN_FIELDS(away)
};

/// The contract told of a buyer's stop in a block that is not deep enough for ChainSeen: the lease
/// stops at once, as by RequestClose, and stays stopped if the chain turns that block away. Only
/// the buyer's own word makes such an event. Nothing is billed past `stop`.
struct StopSeen {
  Hash32 lease;
  uint64_t stop = 0;  ///< the contract's, in seconds
  MIZAN_FIELDS(lease, stop)
};

}  // namespace mizan::exchange
