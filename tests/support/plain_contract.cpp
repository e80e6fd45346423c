#include "support/plain_contract.hpp"

#include <algorithm>

namespace mizan::test {

using exchange::ChainFact;
using Facts = std::vector<ChainFact>;

namespace {

constexpr uint64_t kOpenAhead = 3600;

tl::unexpected<Error> reverts(const char* name) {
  return fail(ErrorCode::conflict, name);
}

}  // namespace

u128 PlainContract::units(u128 nano) const {
  for (uint8_t d = 9; d < decimals_; ++d) nano *= 10;
  for (uint8_t d = decimals_; d < 9; ++d) nano /= 10;
  return nano;
}

u128 PlainContract::payable(const Lease& lease, uint64_t now, u128 voucher) const {
  const eip712::Terms& terms = lease.terms;
  uint64_t to = std::min(now, terms.start + terms.seconds);
  if (lease.stop != 0) to = std::min(to, lease.stop);
  const uint64_t from = std::max(lease.opened, terms.start);
  const u128 bound =
      terms.rate * terms.node_count * terms.units_per_node * (to > from ? to - from : 0);
  return std::max(units(std::min(voucher, bound)), lease.claimed);
}

u128 PlainContract::locked(const Lease& lease, uint64_t now) const {
  return lease.stop == 0 ? lease.escrow : payable(lease, now, ~u128{0});
}

/// The fee of what lies between what was claimed and `total`, which is paid out.
u128 PlainContract::pay(Lease& lease, u128 total) {
  const u128 fee = fee_of(lease.terms, total) - fee_of(lease.terms, lease.claimed);
  balances_[fee_to_] += fee;
  u128 before = lease.claimed - fee_of(lease.terms, lease.claimed);
  u128 after = total - fee_of(lease.terms, total);
  u128 whole = 10'000;
  for (const Payee& payee : lease.payees) {
    const u128 had = before * payee.bps / whole;
    const u128 has = after * payee.bps / whole;
    balances_[payee.to] += has - had;
    before -= had;
    after -= has;
    whole -= payee.bps;
  }
  balances_[lease.terms.provider] += after - before;  // nothing where others had all
  lease.claimed = total;
  return fee;
}

Result<Facts> PlainContract::open(const Sent& sent, uint64_t now) {
  const eip712::Terms& terms = sent.terms;
  const u128 escrow = units(terms.rate * terms.node_count * terms.units_per_node * terms.seconds);
  if (now > sent.good_until) return reverts("ClearanceExpired");
  if (now > sent.bid.valid_until || now > sent.bid.latest_start) return reverts("BidExpired");
  if (terms.start > now + kOpenAhead) return reverts("TooEarly");
  if (terms.start + terms.seconds <= now) return reverts("TooLate");
  const uint64_t first = terms.bid_nonce + terms.first_node;
  for (uint64_t nonce = first; nonce < first + terms.node_count; ++nonce)
    if (spent_.contains({terms.buyer, nonce})) return reverts("BidNonceSpent");
  if (balance(terms.buyer) < escrow) return reverts("InsufficientBalance");
  for (uint64_t nonce = first; nonce < first + terms.node_count; ++nonce)
    spent_.insert({terms.buyer, nonce});
  balances_[terms.buyer] -= escrow;
  leases_[sent.lease] = {terms, escrow, now, 0, 0, 0, false, sent.payees};
  return Facts{chain::Opened{sent.lease, escrow, now}};
}

u128 PlainContract::refund(Lease& lease, u128 amount) {
  lease.refunded += amount;
  balances_[lease.terms.buyer] += amount;
  return amount;
}

Result<Facts> PlainContract::stop(const Sent& sent, Lease& lease, uint64_t now) {
  const std::pair used{sent.owner, sent.nonce};
  if (sent.good_until != 0) {
    if (now > sent.good_until) return reverts("Expired");
    if (used_.contains(used)) return reverts("NonceSpent");
  }
  if (lease.stop != 0) return reverts("AlreadyRequested");
  if (sent.good_until != 0) used_.insert(used);
  lease.stop = now;
  const u128 back = refund(lease, lease.escrow - locked(lease, now));
  return Facts{chain::CloseRequested{sent.lease, now, back}};
}

Result<Facts> PlainContract::run(const Sent& sent, uint64_t now) {
  using Kind = Sent::Kind;
  if (sent.kind == Kind::deposit) {
    balances_[sent.owner] += sent.amount;
    return Facts{chain::Deposited{sent.owner, sent.amount}};
  }
  if (sent.kind == Kind::withdraw) {
    if (balance(sent.owner) < sent.amount) return reverts("InsufficientBalance");
    balances_[sent.owner] -= sent.amount;
    return Facts{chain::Withdrawn{sent.owner, sent.owner, sent.amount}};
  }
  if (sent.kind == Kind::cancel) {
    spent_.insert({sent.owner, sent.nonce});
    U256 mask;
    mask.bytes[31 - (sent.nonce % 256) / 8] = static_cast<uint8_t>(1U << (sent.nonce % 8));
    return Facts{chain::BidsCancelled{sent.owner, sent.nonce / 256, mask}};
  }
  if (sent.kind == Kind::open) return open(sent, now);
  const auto it = leases_.find(sent.lease);
  if (it == leases_.end() || it->second.closed) return reverts("NotOpen");
  Lease& lease = it->second;
  const u128 claimed = lease.claimed;
  if (!sent.payees.empty()) lease.payees = sent.payees;
  if (sent.kind == Kind::claim) {
    const u128 total = payable(lease, now, sent.amount);
    if (total == claimed) return Facts{};
    const u128 fee = pay(lease, total);
    return Facts{chain::Claimed{sent.lease, total - claimed, fee}};
  }
  if (sent.kind == Kind::stop) return stop(sent, lease, now);
  u128 total = claimed;
  if (sent.kind == Kind::close) {
    total = payable(lease, now, sent.amount);
    if (total - fee_of(lease.terms, total) < units(sent.min_paid)) return reverts("BelowMinPaid");
  } else {
    const uint64_t end = lease.terms.start + lease.terms.seconds;
    if (now < (lease.stop == 0 ? end : std::min(end, lease.stop)) + delay_)
      return reverts("DelayNotOver");
  }
  const u128 rest = locked(lease, now) - total;
  const u128 fee = pay(lease, total);
  lease.closed = true;
  return Facts{chain::Closed{sent.lease, total - claimed, fee, refund(lease, rest)}};
}

}  // namespace mizan::test
