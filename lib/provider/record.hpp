// LeaseRecord: what an agent must know of a lease after its own death.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "crypto/eip712_messages.hpp"
#include "job/job.hpp"

#include <optional>

namespace mizan::provider {

/// How far a lease has come; each step is on disk before the next is taken.
enum class Stage : uint8_t {
  accepted,   ///< units are reserved, the terms are signed; nothing may start
  funded,     ///< cleared: prepared, started and run in this stage
  exited,     ///< the job is over; its outputs are not collected yet
  collected,  ///< sealed, but not stored at the exchange
  done,       ///< all is stored: reported as phase 4, then closed
  failed,     ///< never ran, or lost: reported as phase 5, then closed
  over        ///< the exchange has ended it: stop what runs, hand in the log, forget it
};
std::string_view to_string(Stage stage);

/// Times ("..._at_ms") are of the monotonic clock and mean nothing after the machine's restart.
struct LeaseRecord {
  LeaseId lease;
  Stage stage = Stage::accepted;
  eip712::Terms terms;
  eip712::Bid bid;
  Signature bid_signature;
  job::Job job;

  uint64_t matched_at_ms = 0;
  uint64_t funded_at_ms = 0;
  std::optional<eip712::Clearance> clearance;
  Signature clearance_signature;
  bool start_asked = false;  ///< set before the backend is told: such a job is never run twice

  uint64_t staged_ms = 0;               ///< final once the job runs or never will
  uint64_t ran_ms = 0;                  ///< final once it has exited
  std::optional<uint64_t> ran_most_ms;  ///< what may be billed, where a stop has frozen it
  int32_t exit_code = 0;
  std::string reason;       ///< of the exit, or of the failure
  std::string stop_reason;  ///< why it was stopped; "" if it was not
  uint64_t stop_at_ms = 0;
  Hash32 outputs;

  u128 vouchered = 0;  ///< the last voucher's cumulative
  Signature voucher_signature;
  uint64_t voucher_at_ms = 0;

  uint64_t units() const { return uint64_t{terms.node_count} * terms.units_per_node; }
  /// The reason that heartbeats carry.
  const std::string& final_reason() const { return stop_reason.empty() ? reason : stop_reason; }

  template <class Self, class V>
  static void visit_but_stage(Self& self, V&& v) {
    v("lease", self.lease);
    v("terms", self.terms);
    v("bid", self.bid);
    v("bidSignature", self.bid_signature);
    v("job", self.job);
    v("matchedAtMs", self.matched_at_ms);
    v("fundedAtMs", self.funded_at_ms);
    v("clearance", self.clearance);
    v("clearanceSignature", self.clearance_signature);
    v("startAsked", self.start_asked);
    v("stagedMs", self.staged_ms);
    v("ranMs", self.ran_ms);
    v("ranMostMs", self.ran_most_ms);
    v("exitCode", self.exit_code);
    v("reason", self.reason);
    v("stopReason", self.stop_reason);
    v("stopAtMs", self.stop_at_ms);
    v("outputs", self.outputs);
    v("vouchered", self.vouchered);
    v("voucherSignature", self.voucher_signature);
    v("voucherAtMs", self.voucher_at_ms);
  }
};

/// One line of JSON, and back; corrupted if it is not what `encode` writes.
std::string encode(const LeaseRecord& record);
Result<LeaseRecord> decode_record(std::string_view text);

}  // namespace mizan::provider
