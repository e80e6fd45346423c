// Events: what an applied command brought about, for those who must be told.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/money.hpp"
#include "base/time.hpp"

#include <string>
#include <variant>

namespace mizan::exchange {

enum class AskChange : uint8_t { listed, lapsed, returned, cancelled, expired };
/// An ask came, went, or changed; its units may also change through leases (Exchange::version).
struct AskChanged {
  OrderId ask;
  Address provider;
  AskChange change{};
};

enum class BidChange : uint8_t { resting, matched, cancelled, expired, no_match };
/// `no_match` ends an immediate-or-cancel bid whose match was undone and which found no other.
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
/// buyer first. The escrow is back, the lease is `failed`, and another Matched may follow.
struct LeaseUndone {
  LeaseId lease;
  OrderId order;
  Address buyer;
  Address provider;
  std::string reason;
};

/// Accepted: sign the clearance (receipt.hpp) and send it to the provider.
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

/// The agent must stop the job; repeated to it at each reconnection while the lease lives.
struct StopRequested {
  LeaseId lease;
  Address provider;
  std::string reason;
};

/// The lease is over and its bill is fixed: sign a voucher over `cumulative` (unless it is 0 or
/// equals `vouchered`), then submit Finalize. After a restart: Exchange::closing().
struct LeaseClosing {
  LeaseId lease;
  Address provider;
  Money cumulative;
  Money vouchered;
};

/// Settled for good; all amounts of the receipt are in find_lease(lease) and receipt.hpp.
struct LeaseClosed {
  LeaseId lease;
  Address buyer;
  Address provider;
};

using Event = std::variant<AskChanged, BidChanged, Matched, LeaseUndone, Funded, LeaseChanged,
                           Vouchered, StopRequested, LeaseClosing, LeaseClosed>;

}  // namespace mizan::exchange
