// How a lease ends on a chain: the words of its parties, and what the contract can be brought.
#include "exchange/core.hpp"

#include <algorithm>

namespace mizan::exchange {

/// On a chain: over, or about to be, without the provider's word, by which alone the contract ends
/// it at once.
bool Exchange::Core::waits_for_close(const Lease& lease) const {
  if (state.ledger.mirror() == nullptr || lease.close || !lease.accepted()) return false;
  return lease.over() ? locked_on_chain(lease.id) : lease.closing;
}

/// Refused is what asks for more than `charged` pays; the details' `paid` says what to ask for: in
/// whole nano-USD, of which a token with more decimals than nine leaves a part to the provider.
Result<void> Exchange::Core::check_pay(const Lease& lease, Money charged,
                                       const eip712::Close& close) {
  const Money pay = charged - part_of(charged, lease.terms.fee_bps);
  if (pay >= Money{close.min_paid}) return {};
  const Money sure =
      part_of(charged, kWholeBps - std::min<uint32_t>(kWholeBps, lease.terms.fee_bps));
  return fail(Error{
      ErrorCode::conflict, "close.minPaid is above the pay, which is " + mizan::to_string(pay), {}}
                  .with("field", "close.minPaid")
                  .with("paid", mizan::to_string(sure)));
}

/// The provider's word after its bill was fixed without it.
Result<Answer> Exchange::Core::close_late(Lease& lease, const Close& command) {
  const bool signed_for = lease.over() || self_metered(lease);
  const u128 bill = lease.over() ? lease.vouchered : lease.final_charge;
  MIZAN_CHECK(
      check_pay(lease, Money{signed_for ? std::min(bill, lease.vouchered) : bill}, command.close));
  lease.close = command.close;
  lease.close_signature = command.signature;
  if (settling.contains(lease.id)) emit(CloseWanted{lease.id});
  return Answer{lease.order, {lease.id}, false, false};
}

/// For the service to bring to the contract. A newer one takes the place of one that the contract
/// has not heard: it may have refused that.
void Exchange::Core::keep_request(Lease& lease, const RequestClose& command) {
  if (state.ledger.mirror() == nullptr) return;
  const eip712::RequestClose& fresh = command.request;
  const bool brought = lease.request && !wants_stop(lease) && on_chain(lease.id) != nullptr;
  if (brought || (lease.request && (lease.request->nonce == fresh.nonce ||
                                    lease.request->deadline >= fresh.deadline)))
    return;
  lease.request = fresh;
  lease.request_signature = command.signature;
  if (stopping.contains(lease.id)) emit(StopWanted{lease.id});
  note_chain(lease);
}

/// Holds the bill against the contract's bound, rate x units x (min(stop, end) - max(opened,
/// start)) by the contract's own clock: what it would not pay is neither billed nor asked for.
/// `stop` is one that the mirror does not know yet, or 0.
void Exchange::Core::cut_bill(Lease& lease, uint64_t stop) {
  const ledger::ChainLease* there = on_chain(lease.id);
  if (there == nullptr || !lease.funded()) return;
  uint64_t end = lease.terms.start + lease.terms.seconds;
  for (const uint64_t one : {stop, there->stopped})
    if (one != 0) end = std::min(end, one);
  const uint64_t from = std::max(there->opened, lease.terms.start);
  const uint64_t most = end - std::min(end, from);
  if (lease.closing || lease.over()) return lower_bill(lease, most);
  if (const UnixMs last = later(lease.opened_at, most * 1'000); last < lease.stopped_at) {
    lease.stopped_at = last;
    lease_ends_.arm(std::min(silence_at(lease), abandoned_at(lease)), lease.id);
  }
  lease.covered_ms = std::min(lease.covered_ms, most * 1'000);
  note_unvouchered(lease);
}

/// A bill that was fixed before the contract's word on it came. The meter signs the lower one, and
/// the provider is asked for another Close where its own asks for more.
void Exchange::Core::lower_bill(Lease& lease, uint64_t most_seconds) {
  if (lease.final_seconds <= most_seconds) return;
  lease.final_seconds = most_seconds;
  lease.final_charge = lease.terms.rate * lease.units() * most_seconds;
  if (lease.over() || on_chain(lease.id)->closed) return;
  if (lease.close && !check_pay(lease, Money{lease.final_charge}, *lease.close)) {
    lease.close.reset();
    lease.close_signature = {};
  }
  if (self_metered(lease)) {
    if (!lease.billed && !awaits_voucher(lease)) settle(lease);
    return;
  }
  lease.billed = false;
  closing.insert(lease.id);
  emit(LeaseClosing{lease.id, lease.terms.provider, Money{lease.final_charge},
                    Money{lease.vouchered}});
}

EndWants end_wants(const Lease& lease, const ledger::Mirror& mirror, uint64_t close_delay_s) {
  EndWants wants;
  const ledger::ChainLease* there = mirror.find(lease.id);
  if (there == nullptr || there->closed) return wants;
  wants.close = lease.close.has_value();
  // As the contract bounds it: by its own clock, and in whole units of the token.
  uint64_t end = lease.terms.start + lease.terms.seconds;
  if (there->stopped != 0) end = std::min(end, there->stopped);
  const uint64_t now = mirror.last().time;
  const uint64_t from = std::max(there->opened, lease.terms.start);
  const uint64_t to = std::min(now, end);
  const auto bound = cost(Rate{lease.terms.rate}, lease.units(), to > from ? to - from : 0);
  const u128 payable = std::min(lease.vouchered, bound.value_or(Money{lease.vouchered}).nano);
  // What time has not earned yet is waited for: one claim is enough.
  const bool whole = payable == lease.vouchered || now >= end;
  wants.claim = whole && mirror.units(Money{payable}) > there->paid;
  wants.finalize = now > end + close_delay_s;
  return wants;
}

}  // namespace mizan::exchange
