// What the service says, as JSON: the shapes of docs/PROTOCOL.md.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "exchange/exchange.hpp"
#include "net/http.hpp"
#include "service/keys.hpp"
#include "service/sequencer.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace mizan::service {

struct Context;

json::string text_json(std::string_view text);
/// With the size of its log, and, while it is opening, how far that is: `opening {blocks,
/// depth}`, of which `blocks` is null while the chain has it in none.
json::object lease_json(const exchange::Lease& lease, const Context& context);
/// What a buyer's own meter rests on: the provider's last heartbeat, of which the buyer sees its
/// own lease's part, and the last voucher.
json::object metering_json(const exchange::Lease& lease,
                           const std::optional<exchange::Heartbeat>& heartbeat);
json::object offer_json(const exchange::Offer& offer);
json::array offers_json(const std::vector<exchange::Offer>& offers);
json::array plan_json(const std::vector<exchange::PlanLine>& lines);
json::object account_json(const Address& address, const exchange::Exchange& core);
/// {ask, held, rule, head, outcome, sentence, missing}: for both sides.
json::object spoken_json(const exchange::PolicySpoke& spoke);
json::object verdict_json(const exchange::Verdict& verdict);

/// `sequence`, `acknowledgement`, `acknowledgementSignature`: in every answer to a command.
void add_acknowledgement(json::object& answer, uint64_t sequence, const Sealed& sealed);

/// The failure's answer; `reasons` go into details.reasons as an array.
net::Response refusal(const Error& error, const std::vector<market::Reason>& reasons = {});
net::Response json_response(const json::value& value);

/// The receipt of a lease that is over, signed; the same bytes each time.
struct SignedReceipt {
  eip712::Receipt receipt;
  Signature signature;
};
SignedReceipt sign_receipt(const exchange::Lease& lease, const eip712::Domain& domain,
                           const ExchangeKeys& keys);
/// The bundle that can be checked offline. `conflict` until a funded lease is over; not_found for
/// one that never opened.
Result<json::object> receipt_bundle(const exchange::Lease& lease, const eip712::Domain& domain,
                                    const ExchangeKeys& keys);

}  // namespace mizan::service
