#include "exchange/receipt.hpp"

namespace mizan::exchange {
namespace {

/// nano-USD in one of the token's units, at most: it has six decimals or more.
constexpr u128 kUnit = 1000;

/// Of the bill, unless the contract paid less (or, after a turn, more): whoever closes it there
/// picks the voucher, and its own clock bounds that.
uint64_t seconds_paid(const Lease& lease) {
  const u128 a_second = lease.terms.rate * lease.units();
  const u128 bill = a_second * lease.seconds_billed();
  const u128 charged = lease.settlement.charged;
  if (charged <= bill && bill - charged < kUnit) return lease.seconds_billed();
  return static_cast<uint64_t>((charged + a_second - 1) / a_second);
}

}  // namespace

eip712::Clearance clearance_of(const Lease& lease) {
  return {lease.id, lease.verdict.hash, lease.verdict.rule_set, lease.clearance_until};
}

eip712::Voucher voucher_of(const Lease& lease) {
  return {lease.id, lease.vouchered};
}

eip712::Receipt receipt_of(const Lease& lease) {
  eip712::Receipt receipt;
  receipt.lease = lease.id;
  receipt.seconds_billed = seconds_paid(lease);
  receipt.escrow = lease.escrow;
  receipt.charged = lease.settlement.charged;
  receipt.fee = lease.settlement.fee;
  receipt.paid = lease.settlement.paid;
  receipt.refunded = lease.settlement.refunded;
  receipt.opened_at_ms = lease.opened_at.ms;
  receipt.closed_at_ms = lease.closed_at.ms;
  receipt.exit_code = lease.exit_code;
  receipt.reason = lease.reason;
  receipt.outputs = lease.outputs;
  receipt.verdict = lease.verdict.hash;
  receipt.rule_set = lease.verdict.rule_set;
  return receipt;
}

bool ended_by_close(const Lease& lease) {
  return lease.close && lease.close->min_paid < lease.settlement.paid + kUnit;
}

}  // namespace mizan::exchange
