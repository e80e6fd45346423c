// The place where policy speaks: every candidate match is judged before it becomes a lease.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/state.hpp"

namespace mizan::exchange {

/// What is known of a deal before it is made.
struct Candidate {
  const eip712::Ask& ask;
  const eip712::Bid& bid;
  Hash32 ask_id;
  Hash32 bid_id;
  uint64_t seconds = 0;  ///< of the lease that it would become
  UnixMs at;
};

/// The verdict of the rule set in force, which is the empty one: nothing is assessed, everything is
/// allowed, and the note says so. Pure.
Verdict judge(const Candidate& candidate);

/// The hash of the rule set in force.
const Hash32& rule_set_in_force();

/// Whether a deal with this verdict may open without a person's word.
bool passes(const Verdict& verdict);

}  // namespace mizan::exchange
