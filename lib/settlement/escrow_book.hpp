// What the contract owes, from its events alone.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "settlement/escrow_events.hpp"

#include <map>
#include <set>

namespace mizan::settlement {

/// Sums in the token's base units: deposited = withdrawn + balances + escrow, where the balances
/// hold the fees too.
class EscrowBook {
 public:
  /// The next event in the chain's order. An error (corrupted) for one that contradicts those
  /// before it; then nothing was changed.
  Result<void> add(const EscrowEvent& event);

  u128 deposited() const { return deposited_; }
  u128 withdrawn() const { return withdrawn_; }
  u128 owed() const { return deposited_ - withdrawn_; }
  u128 escrow() const { return escrow_; }
  u128 balances() const { return owed() - escrow_; }
  u128 fees() const { return fees_; }  ///< ever, withdrawn ones too
  /// What is held for each open lease.
  const std::map<LeaseId, u128>& leases() const { return leases_; }
  /// Whoever put in or took out; those who were only ever paid are not known by name.
  const std::set<Address>& owners() const { return owners_; }

 private:
  struct Adder;
  u128 deposited_ = 0;
  u128 withdrawn_ = 0;
  u128 escrow_ = 0;
  u128 fees_ = 0;
  std::map<LeaseId, u128> leases_;
  std::set<Address> owners_;
};

}  // namespace mizan::settlement
