// The messages of the agent's channel (docs/PROTOCOL.md), as values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "crypto/eip712_messages.hpp"
#include "job/job.hpp"

#include <optional>
#include <variant>
#include <vector>

namespace mizan::provider {

/// A lease as the exchange knows it, at the start of a connection.
struct WelcomeLease {
  LeaseId lease;
  std::string state;       ///< matched, opening, funded, staging, running, collecting, failed
  uint64_t log_bytes = 0;  ///< stored so far
  bool closing = false;    ///< its bill is fixed: nothing more is paid
};
struct Welcome {
  uint64_t time_ms = 0;
  std::vector<WelcomeLease> leases;
};
struct Match {
  LeaseId lease;
  eip712::Terms terms;
  eip712::Bid bid;
  Signature bid_signature;
  job::Spec spec;
  Hash32 spec_hash;  ///< of the spec as it was sent
  uint64_t accept_by_ms = 0;
};
/// The acceptance is taken, and a chain is to open the lease: Funded or Closed follows, in minutes.
struct Opening {
  LeaseId lease;
};
struct Funded {
  LeaseId lease;
  eip712::Clearance clearance;
  Signature signature;
};
struct LogOk {
  LeaseId lease;
  uint64_t size = 0;
};
struct VoucherMessage {
  eip712::Voucher voucher;
  Signature signature;
};
struct Stop {
  LeaseId lease;
  std::string reason;
};
/// Without a receipt where the lease never opened.
struct Closed {
  LeaseId lease;
  std::optional<eip712::Receipt> receipt;
  Signature signature;
  std::string reason;  ///< without a receipt: why it never opened
};
/// Policy kept a bid from the provider's ask: which rule spoke, and none of the buyer's facts.
struct PolicySpoke {
  OrderId ask;
  OrderId order;
  bool held = false;  ///< it would wait for an officer, and the bid does not wait
  std::string rule;
  std::string head;
  std::string outcome;
  std::string sentence;
  std::string missing;  ///< names of facts
};
/// The exchange has ended an ask of its own accord ("displaced": all places for asks were taken).
struct AskEnded {
  OrderId ask;
  std::string reason;
};
/// The answer to the message with this id: done, or why not.
struct Reply {
  uint64_t id = 0;
  uint64_t time_ms = 0;  ///< by the exchange's clock, where the reply has an acknowledgement
  std::optional<Error> error;
};

using Incoming = std::variant<Welcome, Match, Opening, Funded, LogOk, VoucherMessage, Stop, Closed,
                              PolicySpoke, AskEnded, Reply>;

/// Reads one message of the exchange within bounds; unknown types and fields are errors (but for a
/// reply's and a lease's, which may say more than an agent needs).
Result<Incoming> parse_incoming(std::string_view text);

// The agent's messages as JSON text. `id` asks for a reply.
std::string ask_message(uint64_t id, const eip712::Ask& ask, std::string_view attributes,
                        const Signature& signature);
std::string heartbeat_message(uint64_t id, const eip712::Heartbeat& heartbeat,
                              const Signature& signature);
std::string accept_message(uint64_t id, const eip712::Terms& terms, const Signature& signature);
std::string reject_message(uint64_t id, const LeaseId& lease, const Error& why);
std::string log_message(uint64_t id, const LeaseId& lease, uint64_t offset, ByteView data);
std::string close_message(uint64_t id, const eip712::Close& close, const Signature& signature);
/// The body of POST /v1/asks/cancel.
std::string cancel_body(const eip712::CancelAsk& cancel, const Signature& signature);

}  // namespace mizan::provider
