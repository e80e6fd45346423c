// The ledger: balances, escrow, vouchers, settlement; value is conserved.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/id_map.hpp"
#include "base/payee.hpp"
#include "ledger/mirror.hpp"
#include "ledger/nonce_bits.hpp"

namespace mizan::ledger {

struct Account {
  Money balance;     ///< free to spend; on a chain unused: the mirror has it
  Money escrowed;    ///< locked for its leases as a buyer
  Money reserved;    ///< part of `escrowed` that the chain has not locked yet; 0 on credits
  Money earned;      ///< paid to it as a provider or a payee, ever
  Money spent;       ///< charged to it as a buyer, ever
  NonceBits nonces;  ///< of its bids
  friend bool operator==(const Account&, const Account&) = default;
  MIZAN_FIELDS(balance, escrowed, reserved, earned, spent, nonces)
};

/// What a lease's money rests on; as in its Terms.
struct EscrowTerms {
  Address buyer;
  Address provider;
  Rate rate;
  uint64_t units = 0;
  uint64_t seconds = 0;
  uint64_t start = 0;  ///< seconds since 1970, as all times here
  uint16_t fee_bps = 0;
  friend bool operator==(const EscrowTerms&, const EscrowTerms&) = default;
  MIZAN_FIELDS(buyer, provider, rate, units, seconds, start, fee_bps)
};

struct Escrow {
  EscrowTerms terms;
  Money amount;           ///< rate x units x seconds
  Money vouchered;        ///< the highest voucher taken
  uint64_t opened = 0;    ///< when the provider accepted; 0 before
  uint64_t stopped = 0;   ///< when the buyer asked to stop; 0 if it did not
  bool reserved = false;  ///< on a chain: not locked there (yet, or any more)
  friend bool operator==(const Escrow&, const Escrow&) = default;
  MIZAN_FIELDS(terms, amount, vouchered, opened, stopped, reserved)
};

/// charged = paid + fee; escrow = charged + refunded. The fee is rounded down, and so is what is
/// charged: both in favour of the payer.
struct Settlement {
  Money charged;
  Money fee;
  Money paid;
  Money refunded;
};

/// Sums over the whole ledger: granted = balances + escrow + fees + withdrawn.
struct Totals {
  Money granted;
  Money balances;
  Money escrow;
  Money fees;
  Money withdrawn;  ///< credits stay inside, so it is 0
  friend bool operator==(const Totals&, const Totals&) = default;
  MIZAN_FIELDS(granted, balances, escrow, fees, withdrawn)
};

/// Every function that can fail changes nothing when it does.
///
/// Over credits it moves the balances. Over a chain (`follow`) the contract does that, and the
/// ledger only reserves: what an account can spend is what the mirror says that it has, less what
/// is reserved for leases that the contract has not locked.
class Ledger {
 public:
  /// From now on the money is on a chain. Before anything else.
  void follow(Mirror mirror);
  /// Null on credits.
  Mirror* mirror() { return mirror_ ? &*mirror_ : nullptr; }
  const Mirror* mirror() const { return mirror_ ? &*mirror_ : nullptr; }
  /// On a chain: whether the contract holds the escrow, so that nothing is reserved for it.
  void set_locked(const LeaseId& lease, bool locked);
  /// On a chain: forgets a lease that is over; the contract has moved its money.
  void drop(const LeaseId& lease);

  /// Free to spend: for a lease, a bid that waits.
  Money balance(const Address& address) const;

  /// Credits come into being.
  Result<void> grant(const Address& to, Money amount);

  /// Moves rate x units x seconds from the buyer's balance into escrow under `lease`, and returns
  /// it. Errors: insufficient_funds, overflow, already_exists.
  Result<Money> lock(const LeaseId& lease, const EscrowTerms& terms);
  /// Undoes `lock` for a lease that was never opened.
  Result<void> unlock(const LeaseId& lease);
  /// The same escrow under another id and start, of a lease that was never opened.
  Result<void> rename(const LeaseId& from, const LeaseId& to, uint64_t start);
  /// The lease's clock begins. On a chain the money follows with `set_locked`.
  Result<void> open(const LeaseId& lease, uint64_t now);
  /// Freezes elapsed time; later calls leave the first stop.
  Result<void> stop(const LeaseId& lease, uint64_t now);

  /// min(escrow, rate x units x elapsed), the most that may be charged at `now`, where
  /// elapsed = max(0, min(now, stopped, start + seconds) - max(opened, start)).
  Result<Money> bound(const LeaseId& lease, uint64_t now) const;
  /// Takes a cumulative voucher: never lowered, never above the bound (conflict).
  Result<void> voucher(const LeaseId& lease, Money cumulative, uint64_t now);
  /// On a chain, whose contract pays no more than its own bound: what was signed for is less now.
  void lower(const LeaseId& lease, Money cumulative);
  /// How `charged` would be split.
  static Settlement split(const Escrow& escrow, Money charged);
  /// Pays the last voucher's amount out, to the payees by their shares where there are any, else to
  /// the provider; refunds the rest, and forgets the lease. `payees` passed check_payees.
  Result<Settlement> settle(const LeaseId& lease, const std::vector<Payee>& payees = {});

  const Escrow* find(const LeaseId& lease) const;
  /// The account, or one that never had anything.
  const Account& account(const Address& address) const;
  bool knows(const Address& address) const;
  NonceBits& nonces(const Address& address) { return accounts_[address].nonces; }
  const Totals& totals() const { return totals_; }

  /// Stops the process unless value is conserved; O(1).
  void check() const;
  size_t entries() const { return accounts_.size() + escrows_.size(); }
  /// The same, from every account and escrow: that the totals are their sums.
  void recount() const;
  /// The same for a ledger that was read from bytes: an error (corrupted) instead of a stop.
  Result<void> audit() const;

  friend bool operator==(const Ledger&, const Ledger&) = default;
  MIZAN_FIELDS(accounts_, escrows_, totals_, mirror_)

 private:
  Result<Escrow*> find_escrow(const LeaseId& lease);
  void put_aside(const Address& buyer, Money amount);
  void put_back(const Address& buyer, Money amount);
  IdMap<Address, Account> accounts_;
  IdMap<LeaseId, Escrow> escrows_;
  Totals totals_;  ///< 0 on a chain
  std::optional<Mirror> mirror_;
};

}  // namespace mizan::ledger
