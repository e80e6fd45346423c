// The meter: vouchers for time that heartbeats cover, each interval and at the end.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "service/context.hpp"

namespace mizan::service {

/// Signs with the meter's key and submits the commands that carry its word. All on the sequencer's
/// thread.
class Meter {
 public:
  explicit Meter(Context& context) : context_(context) {}

  /// Vouchers whose interval has passed.
  void post_due(const exchange::Exchange& exchange);
  /// The last voucher and the settlement of a lease whose bill is fixed.
  void finalize(const LeaseId& lease, Money cumulative, Money vouchered);
  /// Those that a crash left between the two: at the start.
  void finalize_closing(const exchange::Exchange& exchange);

 private:
  Signature sign(const LeaseId& lease, u128 cumulative) const;
  Context& context_;
};

}  // namespace mizan::service
