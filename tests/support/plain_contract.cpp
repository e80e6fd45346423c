#include "support/plain_contract.hpp"

#include <algorithm>

namespace mizan::test {

using exchange::ChainFact;
using Facts = std::vector<ChainFact>;

u128 PlainContract::payable(const Lease& lease, uint64_t now, u128 voucher) const {
  const eip712::Terms& terms = lease.terms;
  uint64_t to = std::min(now, terms.start + terms.seconds);
  if (lease.stop != 0) to = std::min(to, lease.stop);
  const uint64_t from = std::max(lease.opened, terms.start);
  const u128 bound =
      terms.rate * terms.node_count * terms.units_per_node * (to > from ? to - from : 0);
  return std::max(std::min(voucher, bound), lease.claimed);
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

Facts PlainContract::open(const Sent& sent, uint64_t now) {
  const eip712::Terms& terms = sent.terms;
  const u128 escrow = terms.rate * terms.node_count * terms.units_per_node * terms.seconds;
  if (now > sent.good_until || now > sent.bid.valid_until || now > sent.bid.latest_start ||
      terms.start + terms.seconds <= now || balance(terms.buyer) < escrow)
    return {};
  for (uint32_t node = 0; node < terms.node_count; ++node)
    if (spent_.contains({terms.buyer, terms.bid_nonce + node})) return {};
  for (uint32_t node = 0; node < terms.node_count; ++node)
    spent_.insert({terms.buyer, terms.bid_nonce + node});
  balances_[terms.buyer] -= escrow;
  leases_[sent.lease] = {terms, escrow, now, 0, 0, 0, false, sent.payees};
  return {chain::Opened{sent.lease, escrow, now}};
}

Facts PlainContract::run(const Sent& sent, uint64_t now) {
  using Kind = Sent::Kind;
  if (sent.kind == Kind::deposit) {
    balances_[sent.owner] += sent.amount;
    return {chain::Deposited{sent.owner, sent.amount}};
  }
  if (sent.kind == Kind::withdraw) {
    if (balance(sent.owner) < sent.amount) return {};
    balances_[sent.owner] -= sent.amount;
    return {chain::Withdrawn{sent.owner, sent.owner, sent.amount}};
  }
  if (sent.kind == Kind::cancel) {
    spent_.insert({sent.owner, sent.nonce});
    U256 mask;
    mask.bytes[31 - (sent.nonce % 256) / 8] = static_cast<uint8_t>(1U << (sent.nonce % 8));
    return {chain::BidsCancelled{sent.owner, sent.nonce / 256, mask}};
  }
  if (sent.kind == Kind::open) return open(sent, now);
  const auto it = leases_.find(sent.lease);
  if (it == leases_.end() || it->second.closed) return {};
  Lease& lease = it->second;
  const u128 claimed = lease.claimed;
  const auto refund = [&](u128 amount) {
    lease.refunded += amount;
    balances_[lease.terms.buyer] += amount;
    return amount;
  };
  if (sent.kind == Kind::claim) {
    const u128 total = payable(lease, now, sent.amount);
    if (total == claimed) return {};
    const u128 fee = pay(lease, total);
    return {chain::Claimed{sent.lease, total - claimed, fee}};
  }
  if (sent.kind == Kind::stop) {
    if (lease.stop != 0) return {};
    lease.stop = now;
    return {chain::CloseRequested{sent.lease, now, refund(lease.escrow - locked(lease, now))}};
  }
  u128 total = claimed;
  if (sent.kind == Kind::close) {
    total = payable(lease, now, sent.amount);
  } else {
    const uint64_t end = lease.terms.start + lease.terms.seconds;
    if (now < (lease.stop == 0 ? end : std::min(end, lease.stop)) + delay_) return {};
  }
  const u128 rest = locked(lease, now) - total;
  const u128 fee = pay(lease, total);
  lease.closed = true;
  return {chain::Closed{sent.lease, total - claimed, fee, refund(rest)}};
}

}  // namespace mizan::test
