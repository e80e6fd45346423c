#include "ledger/ledger.hpp"

#include <algorithm>

namespace mizan::ledger {
namespace {

uint64_t elapsed_seconds(const Escrow& escrow, uint64_t now) {
  uint64_t end = now;
  if (escrow.stopped != 0) end = std::min(end, escrow.stopped);
  uint64_t last = 0;
  if (!__builtin_add_overflow(escrow.terms.start, escrow.terms.seconds, &last))
    end = std::min(end, last);
  const uint64_t begin = std::max(escrow.opened, escrow.terms.start);
  return end > begin ? end - begin : 0;
}

}  // namespace

Result<void> Ledger::grant(const Address& to, Money amount) {
  MIZAN_TRY(granted, add(totals_.granted, amount));
  totals_.granted = granted;  // bounds every other sum, so that none of them can wrap
  accounts_[to].balance += amount;
  totals_.balances += amount;
  return {};
}

void Ledger::follow(Mirror mirror) {
  ensure(accounts_.empty() && escrows_.empty(), "a ledger follows a chain from its beginning");
  mirror_ = std::move(mirror);
}

Money Ledger::balance(const Address& address) const {
  const Account& known = account(address);
  if (!mirror_) return known.balance;
  const Money there = mirror_->money(mirror_->balance(address));
  return there - std::min(there, known.reserved);
}

bool Ledger::knows(const Address& address) const {
  return accounts_.contains(address) || (mirror_ && mirror_->accounts().contains(address));
}

/// From free to spend to locked for a lease.
void Ledger::put_aside(const Address& buyer, Money amount) {
  Account& account = accounts_[buyer];
  account.escrowed += amount;
  if (mirror_) {
    account.reserved += amount;
    return;
  }
  account.balance -= amount;
  totals_.balances -= amount;
  totals_.escrow += amount;
}

void Ledger::put_back(const Address& buyer, Money amount) {
  Account& account = accounts_[buyer];
  account.escrowed -= amount;
  if (mirror_) {
    account.reserved -= amount;
    return;
  }
  account.balance += amount;
  totals_.escrow -= amount;
  totals_.balances += amount;
}

void Ledger::set_locked(const LeaseId& lease, bool locked) {
  const auto it = escrows_.find(lease);
  ensure(mirror_ && it != escrows_.end(), "a lease that lives has its escrow");
  Escrow& escrow = it->second;
  if (escrow.reserved != locked) return;
  Money& reserved = accounts_[escrow.terms.buyer].reserved;
  if (locked)
    reserved -= escrow.amount;
  else
    reserved += escrow.amount;
  escrow.reserved = !locked;
}

void Ledger::drop(const LeaseId& lease) {
  set_locked(lease, true);
  const auto it = escrows_.find(lease);
  accounts_[it->second.terms.buyer].escrowed -= it->second.amount;
  escrows_.erase(it);
}

Result<Money> Ledger::lock(const LeaseId& lease, const EscrowTerms& terms) {
  if (escrows_.contains(lease))
    return fail(ErrorCode::already_exists, "the lease has its escrow already");
  MIZAN_TRY(amount, cost(terms.rate, terms.units, terms.seconds));
  const Money free = balance(terms.buyer);
  if (free < amount)
    return fail(Error{ErrorCode::insufficient_funds, "the escrow is " + format_usd(amount) +
                                                         " and the balance " + format_usd(free) +
                                                         ": add funds, or ask for less or shorter"}
                    .with("needed", to_string(amount))
                    .with("balance", to_string(free)));
  if (amount != Money{}) put_aside(terms.buyer, amount);
  escrows_.emplace(lease, Escrow{terms, amount, {}, 0, 0, mirror_.has_value()});
  return amount;
}

Result<void> Ledger::unlock(const LeaseId& lease) {
  MIZAN_TRY(escrow, find_escrow(lease));
  if (escrow->opened != 0) return fail(ErrorCode::conflict, "the lease is open: settle it");
  put_back(escrow->terms.buyer, escrow->amount);
  escrows_.erase(lease);
  return {};
}

Result<void> Ledger::rename(const LeaseId& from, const LeaseId& to, uint64_t start) {
  MIZAN_TRY(escrow, find_escrow(from));
  if (escrow->opened != 0) return fail(ErrorCode::conflict, "the lease is open already");
  if (from != to && escrows_.contains(to))
    return fail(ErrorCode::already_exists, "the lease has its escrow already");
  Escrow renamed = *escrow;
  renamed.terms.start = start;
  escrows_.erase(from);
  escrows_.emplace(to, renamed);
  return {};
}

Result<void> Ledger::open(const LeaseId& lease, uint64_t now) {
  MIZAN_TRY(escrow, find_escrow(lease));
  if (escrow->opened != 0) return fail(ErrorCode::conflict, "the lease is open already");
  if (now == 0) return fail(ErrorCode::invalid_argument, "a lease cannot open at time 0");
  escrow->opened = now;
  return {};
}

Result<void> Ledger::stop(const LeaseId& lease, uint64_t now) {
  MIZAN_TRY(escrow, find_escrow(lease));
  if (escrow->opened == 0) return fail(ErrorCode::conflict, "the lease is not open yet");
  if (escrow->stopped == 0) escrow->stopped = std::max(now, escrow->opened);
  return {};
}

Result<Money> Ledger::bound(const LeaseId& lease, uint64_t now) const {
  const Escrow* escrow = find(lease);
  if (escrow == nullptr) return fail(ErrorCode::not_found, "the lease has no escrow");
  if (escrow->opened == 0) return Money{};
  // Cannot overflow: elapsed is at most `seconds`, whose cost is the escrow.
  MIZAN_TRY(used, cost(escrow->terms.rate, escrow->terms.units, elapsed_seconds(*escrow, now)));
  return std::min(escrow->amount, used);
}

Result<void> Ledger::voucher(const LeaseId& lease, Money cumulative, uint64_t now) {
  MIZAN_TRY(escrow, find_escrow(lease));
  MIZAN_TRY(most, bound(lease, now));
  if (cumulative > most)
    return fail(ErrorCode::conflict,
                "voucher.cumulative is above rate x units x elapsed time: "
                "at most " +
                    to_string(most) + " now");
  if (cumulative < escrow->vouchered)
    return fail(ErrorCode::conflict, "voucher.cumulative is below the last voucher: at least " +
                                         to_string(escrow->vouchered));
  escrow->vouchered = cumulative;
  return {};
}

void Ledger::lower(const LeaseId& lease, Money cumulative) {
  const auto it = escrows_.find(lease);
  ensure(mirror_ && it != escrows_.end() && cumulative <= it->second.vouchered,
         "a voucher is lowered on a chain alone");
  it->second.vouchered = cumulative;
}

Settlement Ledger::split(const Escrow& escrow, Money charged) {
  ensure(charged <= escrow.amount, "nothing is charged beyond the escrow");
  Settlement out;
  out.charged = charged;
  out.fee = part_of(charged, escrow.terms.fee_bps);
  out.paid = out.charged - out.fee;
  out.refunded = escrow.amount - charged;
  return out;
}

Result<Settlement> Ledger::settle(const LeaseId& lease, const std::vector<Payee>& payees) {
  ensure(!mirror_, "on a chain the contract settles");
  MIZAN_TRY(escrow, find_escrow(lease));
  if (escrow->opened == 0) return fail(ErrorCode::conflict, "the lease never opened: unlock it");
  const Settlement out = split(*escrow, escrow->vouchered);
  Account& buyer = accounts_[escrow->terms.buyer];
  buyer.escrowed -= escrow->amount;
  buyer.balance += out.refunded;
  buyer.spent += out.charged;
  const auto pay = [this](const Address& to, Money amount) {
    Account& account = accounts_[to];
    account.balance += amount;
    account.earned += amount;
  };
  const std::vector<Money> shares = shares_of(out.paid, payees);
  if (payees.empty()) pay(escrow->terms.provider, out.paid);
  for (size_t i = 0; i < payees.size(); ++i) pay(payees[i].to, shares[i]);
  totals_.escrow -= escrow->amount;
  totals_.balances += out.refunded + out.paid;
  totals_.fees += out.fee;
  escrows_.erase(lease);
  return out;
}

const Escrow* Ledger::find(const LeaseId& lease) const {
  const auto it = escrows_.find(lease);
  return it == escrows_.end() ? nullptr : &it->second;
}

Result<Escrow*> Ledger::find_escrow(const LeaseId& lease) {
  const auto it = escrows_.find(lease);
  if (it == escrows_.end()) return fail(ErrorCode::not_found, "the lease has no escrow");
  return &it->second;
}

const Account& Ledger::account(const Address& address) const {
  static const Account nobody;
  const auto it = accounts_.find(address);
  return it == accounts_.end() ? nobody : it->second;
}

void Ledger::check() const {
  ensure(totals_.granted == totals_.balances + totals_.escrow + totals_.fees + totals_.withdrawn,
         "granted = balances + escrow + fees + withdrawn");
  ensure(!mirror_ || mirror_->conserves(), "deposited = withdrawn + balances + escrow");
}

void Ledger::recount() const {
  const auto audited = audit();
  ensure(audited.has_value(), audited ? "" : audited.error().message);
}

Result<void> Ledger::audit() const {
  const auto wrong = [](const char* what) { return fail(ErrorCode::corrupted, what); };
  Money balances;
  Money escrowed;
  Money amounts;
  std::map<Address, Money> by_buyer;
  std::map<Address, Money> reserved;
  // Sums from untrusted bytes: an overflow is a fault of theirs.
  const auto put = [](Money& sum, Money amount) {
    return !__builtin_add_overflow(sum.nano, amount.nano, &sum.nano);
  };
  for (const auto& [id, escrow] : escrows_) {
    const auto whole = cost(escrow.terms.rate, escrow.terms.units, escrow.terms.seconds);
    if (!whole || *whole != escrow.amount || escrow.vouchered > escrow.amount)
      return wrong("an escrow is rate x units x seconds, and no voucher is above it");
    if (!put(amounts, escrow.amount) || !put(by_buyer[escrow.terms.buyer], escrow.amount))
      return wrong("the sum of escrow is too large");
    if (escrow.reserved && (!mirror_ || !put(reserved[escrow.terms.buyer], escrow.amount)))
      return wrong("money is reserved on a chain alone");
  }
  for (const auto& [address, account] : accounts_) {
    if (!put(balances, account.balance) || !put(escrowed, account.escrowed))
      return wrong("the sum of balances is too large");
    const auto sum_of = [&address = address](const std::map<Address, Money>& sums) {
      const auto it = sums.find(address);
      return it == sums.end() ? Money{} : it->second;
    };
    if (account.escrowed != sum_of(by_buyer) || account.reserved != sum_of(reserved))
      return wrong("an account's escrow is that of its leases");
    if (mirror_ && account.balance != Money{}) return wrong("on a chain the mirror has balances");
  }
  if (mirror_) {
    if (totals_ != Totals{}) return wrong("on a chain the mirror has the sums");
    if (escrowed != amounts) return wrong("the accounts' escrow is that of the leases");
    return mirror_->audit();
  }
  if (balances != totals_.balances) return wrong("the total of balances is their sum");
  if (amounts != totals_.escrow || escrowed != amounts)
    return wrong("the total of escrow is its sum");
  Money sum = balances;
  if (!put(sum, amounts) || !put(sum, totals_.fees) || !put(sum, totals_.withdrawn) ||
      sum != totals_.granted)
    return wrong("granted = balances + escrow + fees + withdrawn");
  return {};
}

}  // namespace mizan::ledger
