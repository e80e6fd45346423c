#include "service/meter.hpp"

namespace mizan::service {

Signature Meter::sign(const LeaseId& lease, u128 cumulative) const {
  return eip712::sign(context_.domain, eip712::Voucher{lease, cumulative},
                      context_.parts.keys.meter);
}

void Meter::post_due(const exchange::Exchange& exchange) {
  for (const exchange::Lease* lease : exchange.due_vouchers()) {
    const auto used = cost(Rate{lease->terms.rate}, lease->units(), lease->seconds_billed());
    // More than 128 bits is more than the escrow, which was computed the same way.
    if (!used || used->nano <= lease->vouchered) continue;
    context_.sequencer.submit(
        exchange::PostVoucher{{lease->id, used->nano}, sign(lease->id, used->nano)}, std::nullopt,
        nullptr);
  }
}

void Meter::finalize(const LeaseId& lease, Money cumulative, Money vouchered) {
  exchange::Finalize command{lease, cumulative.nano, std::nullopt};
  if (cumulative.nano != 0 && cumulative != vouchered) {
    const exchange::Lease* found = context_.state.unlocked().find_lease(lease);
    const bool own = found != nullptr && found->terms.meter != context_.parts.keys.meter.address();
    if (own && cumulative > vouchered) return;  // its buyer signs, or what it has is the bill
    if (!own) command.voucher = sign(lease, cumulative.nano);
  }
  context_.sequencer.submit(std::move(command), std::nullopt, nullptr);
}

void Meter::finalize_closing(const exchange::Exchange& exchange) {
  for (const exchange::Lease* lease : exchange.closing())
    finalize(lease->id, Money{lease->final_charge}, Money{lease->vouchered});
}

}  // namespace mizan::service
