// Events: what an applied command brought about, for those who must be told.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/money.hpp"
#include "base/time.hpp"

#include <string>
#include <variant>

namespace mizan::exchange {

/// `displaced`: all places were taken, and it gave way to another provider's.
enum class AskChange : uint8_t { listed, lapsed, returned, cancelled, expired, displaced };
/// An ask came, went, or changed; its units may also change through leases (Exchange::version).
struct AskChanged {
  OrderId ask;
  Address provider;
  AskChange change{};
};

enum class BidChange : uint8_t { resting, matched, cancelled, expired, no_match, held };
/// `held`: policy waits for a person. `no_match` ends an immediate-or-cancel bid whose match was
/// undone and which found no other.
struct BidChanged {
  OrderId order;
  Address buyer;
  BidChange change{};
};

/// Escrow is locked, units are taken; the provider has until `accept_by` to accept or reject. The
/// agent's `match` message is made from find_lease(lease).
struct Matched {
  LeaseId lease;
  OrderId order;
  Address buyer;
  Address provider;
  UnixMs accept_by;
};

/// A match was undone: rejected, or not accepted in time (reason `not_accepted`), or stopped by the
/// buyer first; or a held deal was rejected (`policy_rejected`), ran out of time
/// (`policy_undecided`) or policy blocks it now (`policy_blocked`, `listed`). The escrow is back,
/// the lease is `failed`, and another Matched may follow.
struct LeaseUndone {
  LeaseId lease;
  OrderId order;
  Address buyer;
  Address provider;
  std::string reason;
};

/// On a chain: accepted, or the block in which it opened is gone. Sign the clearance (receipt.hpp)
/// and bring the opening to the contract, once for each Lease::attempt; it ends in ChainSeen with
/// its Opened, in NotOpened, or when the chain's time has passed Lease::clearance_until. After a
/// restart: Exchange::opening().
struct OpenWanted {
  LeaseId lease;
  Address buyer;
  Address provider;
};

/// Accepted, and on a chain seen to be open: sign the clearance (receipt.hpp) and send it to the
/// provider.
struct Funded {
  LeaseId lease;
  Address buyer;
  Address provider;
};

/// State, phase or coverage moved; current values are in find_lease(lease).
struct LeaseChanged {
  LeaseId lease;
};

/// A voucher was taken: pass it to the provider.
struct Vouchered {
  LeaseId lease;
  Address provider;
  Money cumulative;
  Signature signature;
};

/// The agent must stop the job; repeated to it at each reconnection while the lease lives
/// (Lease::stop_reason: `buyer_stopped`, `listed`).
struct StopRequested {
  LeaseId lease;
  Address provider;
  std::string reason;
};

/// The lease is over and its bill is fixed: sign a voucher over `cumulative` (unless it is 0 or
/// equals `vouchered`), then submit Finalize. Told again where the contract's word lowers the bill.
/// After a restart: Exchange::closing().
struct LeaseClosing {
  LeaseId lease;
  Address provider;
  Money cumulative;
  Money vouchered;
};

/// On a chain: bring the buyer's request (Lease::request) to the contract. After a restart:
/// Exchange::stopping().
struct StopWanted {
  LeaseId lease;
};

/// On a chain: bring the last voucher and the provider's Close to the contract; where there is no
/// Close (Lease::close), or the contract refuses it, claim the voucher and finalize once the
/// contract's delay allows it. It ends when ChainSeen brings its Closed; told again if that is
/// taken back. After a restart: Exchange::settling().
struct CloseWanted {
  LeaseId lease;
};

/// A lease opened on the contract that this exchange never cleared: its key is stolen, or the
/// exchange was restored from a backup that is older than the lease. Nothing is matched until
/// another key is in force.
struct ChainAlarm {
  LeaseId lease;
};

/// Settled for good; all amounts of the receipt are in find_lease(lease) and receipt.hpp.
struct LeaseClosed {
  LeaseId lease;
  Address buyer;
  Address provider;
};

/// Policy holds a deal for a person: escrow is locked, units are kept, until `until` (or a
/// decision). Nothing has gone to the provider's agent yet.
struct Held {
  LeaseId lease;
  OrderId order;
  Address buyer;
  Address provider;
  UnixMs until;
  std::string note;  ///< which rule spoke
};

/// A held deal was approved. Its terms start now, so that its id is another one, by which a Matched
/// follows; find_lease knows it by both.
struct Approved {
  LeaseId held;
  LeaseId lease;
  OrderId order;
  Address buyer;
  Address provider;
};

/// An officer has spoken on a held deal that needs another voice.
struct DecisionTaken {
  LeaseId lease;
  Address officer;
};

/// Policy kept an ask and a bid apart. Both sides may hear rule, head and sentence; `missing` are
/// names of facts, not their values. At most 16 a command.
struct PolicySpoke {
  OrderId order;
  OrderId ask;
  Address buyer;
  Address provider;
  bool held = false;  ///< it would be held, and the bid does not wait; else it is blocked
  std::string rule;   ///< its id
  std::string head;
  std::string outcome;  ///< "PROHIBITED"
  std::string sentence;
  std::string missing;  ///< "parent_hq, lists"
};

/// A live lease would not pass if it were judged now; it runs on with its verdict. For the
/// operator; the latest of each lease are in Exchange::review().
struct WouldNotPass {
  LeaseId lease;
  std::string verdict;
  std::string note;
};

/// A rule set or options came into force.
struct PolicyChanged {
  Hash32 rule_set;
};

/// An account proved facts. `parent_changed`: person, group, or parent differ from what it had
/// proven before.
struct FactsProven {
  Address account;
  bool parent_changed = false;
};

/// A listing froze an account, or let it go: no orders, no withdrawals, nothing relayed for it.
struct AccountFrozen {
  Address account;
  bool frozen = true;
};

using Event = std::variant<AskChanged, BidChanged, Matched, LeaseUndone, Funded, LeaseChanged,
                           Vouchered, StopRequested, LeaseClosing, LeaseClosed, Held, Approved,
                           DecisionTaken, PolicySpoke, WouldNotPass, PolicyChanged, FactsProven,
                           AccountFrozen, OpenWanted, StopWanted, CloseWanted, ChainAlarm>;

}  // namespace mizan::exchange
