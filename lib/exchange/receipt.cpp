#include "exchange/receipt.hpp"

namespace mizan::exchange {
eip712::Clearance clearance_of(const Lease& lease) {
  return {lease.id, lease.verdict.hash, lease.verdict.rule_set, lease.clearance_until};
}

eip712::Voucher voucher_of(const Lease& lease) {
  return {lease.id, lease.vouchered};
}

eip712::Receipt receipt_of(const Lease& lease) {
  eip712::Receipt receipt;
  receipt.lease = lease.id;
  receipt.seconds_billed = lease.seconds_billed();
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

}  // namespace mizan::exchange
