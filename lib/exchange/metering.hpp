// What of a lease's time is billed: the same arithmetic for the exchange and for a buyer's client.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "crypto/eip712.hpp"
#include "exchange/state.hpp"

namespace mizan::exchange {

/// Takes what a heartbeat that arrived at `now` says of the lease's time: coveredMs of
/// docs/PROTOCOL.md, "Metering". Reads terms, opened_at and stopped_at.
void hear(Lease& lease, const eip712::LeaseStatus& status, UnixMs now, uint64_t readiness_s);

/// Nothing after it is billed: the lease's own end, or its stop.
UnixMs last_billed(const Lease& lease);

/// A heartbeat as one buyer is shown it: of the leases of others the hash alone, by which the
/// provider's signature over all of it can be checked.
struct SealedHeartbeat {
  static constexpr std::string_view kType = eip712::Heartbeat::kType;
  Address provider;
  uint64_t sequence = 0;
  uint64_t sent_at_ms = 0;
  std::vector<Hash32> leases;  ///< hashStruct of each LeaseStatus

  template <class Self, class V>
  static void visit_fields(Self& self, V&& visit) {
    visit("provider", self.provider);
    visit("sequence", self.sequence);
    visit("sentAtMs", self.sent_at_ms);
    visit("leases", self.leases);
  }
};
SealedHeartbeat seal(const eip712::Heartbeat& heartbeat);

/// A buyer's own account of one lease that it meters: what it may sign, by its own clock.
class BuyerMeter {
 public:
  /// The lease was not open before `opened`. `vouched` is what this meter has signed already: what
  /// passed since then, unseen, counts up to the grace.
  BuyerMeter(const eip712::Terms& terms, uint64_t readiness_s, UnixMs opened, Money vouched);

  /// A heartbeat that the provider signed: an error if it did not, or does not name the lease. One
  /// that was heard before changes nothing.
  Result<void> hear(const eip712::Domain& domain, const LeaseId& lease,
                    const SealedHeartbeat& heartbeat, const eip712::LeaseStatus& status,
                    const Signature& signature, UnixMs now);
  /// The buyer has asked for the end: nothing after `at` is signed for.
  void stop(UnixMs at);
  /// The most to sign, where the exchange bills `seconds`.
  Money owed(uint64_t seconds) const;

 private:
  Lease lease_;
  uint64_t readiness_s_;
  uint64_t sequence_ = 0;
};

}  // namespace mizan::exchange
