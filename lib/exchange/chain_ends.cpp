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

/// The provider's word after its bill was fixed without it.
Result<Answer> Exchange::Core::close_late(Lease& lease, const Close& command) {
  const Money charge{lease.over() || self_metered(lease) ? lease.vouchered : lease.final_charge};
  const Money pay = charge - part_of(charge, lease.terms.fee_bps);
  if (pay < Money{command.close.min_paid})
    return fail(ErrorCode::conflict, "close.minPaid is above the pay, which is " + to_string(pay));
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
