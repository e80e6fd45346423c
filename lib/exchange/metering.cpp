#include "exchange/metering.hpp"

#include "crypto/eip712_encoder.hpp"
#include "exchange/core.hpp"

#include <algorithm>
#include <limits>

namespace mizan::exchange {
namespace {

uint64_t add_to_most(uint64_t a, uint64_t b) {
  return a > std::numeric_limits<uint64_t>::max() - b ? std::numeric_limits<uint64_t>::max()
                                                      : a + b;
}

/// What its provider has told so far.
uint64_t claimed_ms(const Lease& lease, uint64_t readiness_s) {
  return add_to_most(std::min(lease.staged_ms, readiness_s * 1000), lease.ran_ms);
}

}  // namespace

UnixMs last_billed(const Lease& lease) {
  const UnixMs end = at_seconds(lease.terms.start + lease.terms.seconds);
  return lease.stopped_at.ms == 0 ? end : std::min(end, lease.stopped_at);
}

void hear(Lease& lease, const eip712::LeaseStatus& status, UnixMs now, uint64_t readiness_s) {
  // Of a time without a heartbeat only the grace is ever billed, whatever is claimed for it.
  const uint64_t last = std::min(now, last_billed(lease)).ms;
  const uint64_t unheard_ms = last - std::min(last, lease.heard_at.ms);
  lease.forfeited_ms += unheard_ms - std::min(unheard_ms, lease.terms.grace * 1000);
  lease.heard_at = now;
  lease.staged_ms = std::max(lease.staged_ms, status.staged_ms);
  lease.ran_ms = std::max(lease.ran_ms, status.ran_ms);
  const uint64_t open_ms = last - std::min(last, lease.opened_at.ms);
  const uint64_t heard_ms = open_ms - std::min(open_ms, lease.forfeited_ms);
  const uint64_t covered =
      std::min({claimed_ms(lease, readiness_s), heard_ms, lease.terms.seconds * 1000});
  lease.covered_ms = std::max(lease.covered_ms, covered);
}

SealedHeartbeat seal(const eip712::Heartbeat& heartbeat) {
  SealedHeartbeat out{heartbeat.provider, heartbeat.sequence, heartbeat.sent_at_ms, {}};
  out.leases.reserve(heartbeat.leases.size());
  for (const eip712::LeaseStatus& status : heartbeat.leases)
    out.leases.push_back(eip712::hash_struct(status));
  return out;
}

BuyerMeter::BuyerMeter(const eip712::Terms& terms, uint64_t readiness_s, UnixMs opened,
                       Money vouched)
    : readiness_s_(readiness_s) {
  lease_.terms = terms;
  lease_.opened_at = opened;
  lease_.vouchered = vouched.nano;
  lease_.covered_ms = seconds_vouchered(lease_) * 1000;
  lease_.heard_at = later(opened, lease_.covered_ms);
}

Result<void> BuyerMeter::hear(const eip712::Domain& domain, const LeaseId& lease,
                              const SealedHeartbeat& heartbeat, const eip712::LeaseStatus& status,
                              const Signature& signature, UnixMs now) {
  if (heartbeat.provider != lease_.terms.provider)
    return fail(ErrorCode::unauthenticated, "heartbeat.provider: is not the lease's provider");
  const Hash32 hash = eip712::hash_struct(status);
  if (status.lease != lease ||
      std::find(heartbeat.leases.begin(), heartbeat.leases.end(), hash) == heartbeat.leases.end())
    return fail(ErrorCode::unauthenticated, "status: is no part of the heartbeat");
  const Hash32 digest =
      eip712::typed_digest(domain.separator(), eip712::encode_and_hash(heartbeat));
  MIZAN_TRY(signer, recover(digest, signature));
  if (signer != heartbeat.provider)
    return fail(ErrorCode::unauthenticated, "the heartbeat is not signed by the lease's provider");
  if (heartbeat.sequence <= sequence_) return {};
  sequence_ = heartbeat.sequence;
  exchange::hear(lease_, status, now, readiness_s_);
  return {};
}

void BuyerMeter::stop(UnixMs at) {
  if (lease_.stopped_at.ms == 0) lease_.stopped_at = at;
}

Money BuyerMeter::owed(uint64_t seconds) const {
  const uint64_t billed = std::min(seconds, lease_.covered_ms / 1000);
  const auto charge = cost(Rate{lease_.terms.rate}, lease_.units(), billed);
  return std::max(charge.value_or(Money{}), Money{lease_.vouchered});
}

}  // namespace mizan::exchange
