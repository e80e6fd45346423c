// The mirror: what an escrow contract holds for whom, from its events alone.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/payee.hpp"
#include "ledger/place.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace mizan::ledger {

/// All amounts here are in the token's base units.
struct ChainAccount {
  u128 balance = 0;
  u128 earned = 0;  ///< paid to it as a provider, ever
  u128 spent = 0;   ///< paid out of its escrow as a buyer, ever
  friend bool operator==(const ChainAccount&, const ChainAccount&) = default;
  MIZAN_FIELDS(balance, earned, spent)
};

/// Whose money a lease moves.
struct Parties {
  Address buyer;
  Address provider;
  std::vector<Payee> payees{};  ///< whom the provider's pay is shared with; none: it has all
  friend bool operator==(const Parties&, const Parties&) = default;
  MIZAN_FIELDS(buyer, provider, payees)
};

/// A lease that opened; also when it is closed, until it is forgotten.
struct ChainLease {
  std::optional<Parties> parties;  ///< nothing: nobody here knows the lease
  uint64_t opened = 0;             ///< times in seconds
  uint64_t stopped = 0;            ///< 0: not
  u128 escrow = 0;                 ///< locked when it opened
  u128 paid = 0;                   ///< out of it, the fee included
  u128 fee = 0;
  u128 refunded = 0;
  bool closed = false;
  u128 held() const { return escrow - paid - refunded; }
  friend bool operator==(const ChainLease&, const ChainLease&) = default;
  MIZAN_FIELDS(parties, opened, stopped, escrow, paid, fee, refunded, closed)
};

/// Sums, and what is one for the whole contract:
/// deposited + astray_out = withdrawn + balances + escrow + astray_in.
struct ChainSums {
  u128 deposited = 0;
  u128 withdrawn = 0;
  u128 balances = 0;  ///< the fees too
  u128 escrow = 0;
  u128 fees = 0;        ///< ever
  u128 astray_out = 0;  ///< locked by leases that nobody here knows: no balance went down for it
  u128 astray_in = 0;   ///< what those leases paid to whom nobody here knows, and is not spent yet
  bool paused = false;
  Address clearance_key;
  friend bool operator==(const ChainSums&, const ChainSums&) = default;
  MIZAN_FIELDS(deposited, withdrawn, balances, escrow, fees, astray_out, astray_in, paused,
               clearance_key)
};

/// Follows one contract in the chain's order, in steps from place to place, and takes steps back:
/// each keeps what it changed as it was before. Nothing is guessed: an event that contradicts those
/// before it is an error (corrupted), after which `abandon` undoes the step.
class Mirror {
 public:
  static constexpr size_t kMostPlaces = 1024;  ///< how far it can be taken back

  Mirror() = default;
  /// A contract of which nothing has happened up to `first`.
  Mirror(const Place& first, const Address& fee_to, const Address& clearance_key, uint8_t decimals);

  /// Begins a step: what follows happened after the last place, up to `to`.
  Result<void> begin(const Place& to);
  Result<void> deposit(const Address& owner, u128 amount);
  Result<void> withdraw(const Address& owner, u128 amount);
  Result<void> move(const Address& from, const Address& to, u128 amount);
  Result<void> open(const LeaseId& lease, const std::optional<Parties>& parties, u128 escrow,
                    uint64_t time);
  Result<void> claim(const LeaseId& lease, u128 amount, u128 fee);
  Result<void> stop(const LeaseId& lease, uint64_t time, u128 refunded);
  Result<void> close(const LeaseId& lease, u128 amount, u128 fee, u128 refunded);
  void set_paused(bool paused) { sums_.paused = paused; }
  void set_clearance_key(const Address& key) { sums_.clearance_key = key; }
  /// What a step, or taking back, has touched.
  struct Touched {
    std::set<LeaseId> leases;
    std::set<Address> accounts;
  };
  /// Ends the step at hand; or undoes it.
  Touched end();
  void abandon();

  /// Undoes all steps past `place`: the base or one of the places. An error (not_found) otherwise.
  Result<Touched> take_back(const Place& place);
  /// Drops a lease that is closed, if it is there.
  void forget(const LeaseId& lease);

  u128 balance(const Address& owner) const;
  const ChainAccount& account(const Address& owner) const;
  const std::map<Address, ChainAccount>& accounts() const { return accounts_; }
  const ChainLease* find(const LeaseId& lease) const;
  const ChainSums& sums() const { return sums_; }
  /// Base units as nano-USD, rounded down.
  Money money(u128 units) const;
  /// And back, rounded down; all there can be where that is more.
  u128 units(Money money) const;

  const Place& base() const { return base_; }  ///< the oldest that it can be taken back to
  const Place& last() const { return steps_.empty() ? base_ : steps_.back().place; }
  std::vector<Place> places() const;  ///< after the base, oldest first

  /// That value is conserved; O(1).
  bool conserves() const;
  /// The same from every account and lease: an error (corrupted) for a mirror from bytes.
  Result<void> audit() const;

  friend bool operator==(const Mirror&, const Mirror&) = default;
  MIZAN_FIELDS(fee_to_, decimals_, base_, steps_, accounts_, leases_, sums_)

 private:
  /// What a step changed, as it was before; nothing: it was not there.
  struct Step {
    Place place;
    ChainSums sums;
    std::map<Address, std::optional<ChainAccount>> accounts;
    std::map<LeaseId, std::optional<ChainLease>> leases;
    friend bool operator==(const Step&, const Step&) = default;
    MIZAN_FIELDS(place, sums, accounts, leases)
  };
  ChainAccount& touch(const Address& owner);
  ChainLease& touch(const LeaseId& lease);
  Result<ChainLease*> find_open(const LeaseId& lease);
  Result<void> check_there(u128 amount) const;
  Result<void> take(const Address& owner, u128 amount);
  void give(const Address& owner, u128 amount);
  Result<void> pay(const LeaseId& id, u128 amount, u128 fee, u128 refunded);
  void undo_last();

  Address fee_to_;
  uint8_t decimals_ = 0;
  Place base_;
  std::vector<Step> steps_;
  std::map<Address, ChainAccount> accounts_;  ///< those that ever had anything
  std::map<LeaseId, ChainLease> leases_;
  ChainSums sums_;
};

}  // namespace mizan::ledger
