// The calls that become commands: grants, orders, cancellations.
#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"
#include "service/routes.hpp"
#include "service/wire.hpp"

namespace mizan::service {

using exchange::Exchange;
using exchange::Outcome;

namespace {

/// `body` is {what: Message, "signature"}, and nothing else.
template <class Message>
Result<std::pair<Message, Signature>> read_signed(const std::string& body, const char* what) {
  MIZAN_TRY(value, parse_json(body, {}, "the body"));
  Message message;
  Signature signature;
  ObjectReader in(value, "");
  in.required(what, message);
  in.required("signature", signature);
  MIZAN_CHECK(in.finish());
  return std::pair(std::move(message), signature);
}

/// `body` is {what: Message, text: any JSON, "signature"}; the text comes back canonical.
template <class Message>
struct SignedWithText {
  Message message;
  std::string text;
  Signature signature;
};
template <class Message>
Result<SignedWithText<Message>> read_signed_with_text(const std::string& body, const char* what,
                                                      const char* text) {
  MIZAN_TRY(value, parse_json(body, {}, "the body"));
  SignedWithText<Message> out;
  json::value inner;
  ObjectReader in(value, "");
  in.required(what, out.message);
  in.required(text, inner);
  in.required("signature", out.signature);
  MIZAN_CHECK(in.finish());
  MIZAN_TRY(canonical, canonical_json(inner));
  out.text = std::move(canonical);
  return out;
}

}  // namespace

void Routes::submit(Call call, exchange::Command command, const Address& account, Render render) {
  if (const auto admitted = context_.admit(call.request.peer, command); !admitted)
    return call.refuse(admitted.error());
  std::optional<exchange::Idempotency> idempotency;
  if (const std::string* key = net::find_header(call.request.headers, "Idempotency-Key")) {
    // Checked here too, so that a malformed key does not reach the journal.
    const bool printable =
        std::all_of(key->begin(), key->end(), [](char c) { return c > ' ' && c <= '~'; });
    if (key->empty() || key->size() > 64 || !printable)
      return call.refuse(Error{
          ErrorCode::invalid_argument,
          "Idempotency-Key has 1 to 64 printable characters without spaces",
          {}}.with("field", "Idempotency-Key"));
    idempotency = exchange::Idempotency{account, *key, keccak256(call.request.body)};
  }
  context_.sequencer.submit(std::move(command), std::move(idempotency),
                            [this, account, respond = std::move(call.respond),
                             render = std::move(render)](const Result<Applied>& applied) {
                              if (!applied) return respond(net::error_response(applied.error()));
                              const exchange::Outcome& outcome = applied->outcome;
                              if (!outcome.answer) {
                                // Finding the reasons takes long in a large market.
                                if (outcome.answer.error().code == ErrorCode::no_match)
                                  context_.no_matches.charge(hex0x(account.view()));
                                return respond(refusal(outcome.answer.error(), outcome.reasons));
                              }
                              json::object out = render(outcome, context_.state.unlocked());
                              add_acknowledgement(out, applied->sequence, *applied->sealed);
                              respond(json_response(std::move(out)));
                            });
}

void Routes::post_grant(Call call) {
  auto body = read_signed<eip712::Grant>(call.request.body, "grant");
  if (!body) return call.refuse(body.error());
  submit(std::move(call), exchange::Grant{body->first, body->second}, context_.config.operator_,
         [to = body->first.to](const Outcome&, const Exchange& core) {
           return json::object{{"account", account_json(to, core)}};
         });
}

void Routes::post_ask(Call call) {
  auto body = read_signed_with_text<eip712::Ask>(call.request.body, "ask", "attributes");
  if (!body) return call.refuse(body.error());
  const Address provider = body->message.provider;
  submit(std::move(call),
         exchange::PlaceAsk{std::move(body->message), std::move(body->text), body->signature},
         provider, [](const Outcome& outcome, const Exchange&) {
           return json::object{{"order", to_json(outcome.answer->order)}};
         });
}

void Routes::post_ask_cancel(Call call) {
  auto body = read_signed<eip712::CancelAsk>(call.request.body, "cancel");
  if (!body) return call.refuse(body.error());
  const Address provider = body->first.provider;
  submit(std::move(call), exchange::CancelAsk{body->first, body->second}, provider, nothing_more);
}

void Routes::post_bid(Call call) {
  auto body = read_signed_with_text<eip712::Bid>(call.request.body, "bid", "spec");
  if (!body) return call.refuse(body.error());
  const Address buyer = body->message.buyer;
  if (const auto limited = context_.no_matches.check(hex0x(buyer.view())); !limited)
    return call.refuse(limited.error());
  // An account that never had money is refused without a place in the journal: keys are free.
  const bool stranger = context_.state.read([&](const Exchange& core) {
    const exchange::AccountView account = core.account(buyer);
    return account.balance.nano == 0 && account.escrowed.nano == 0 && account.spent.nano == 0 &&
           core.leases_of(buyer).empty();
  });
  if (stranger)
    return call.refuse(Error{
        ErrorCode::insufficient_funds,
        context_.domain.is_credits()
            ? "the account has no balance; the operator grants it"
            : "the account has no balance: deposit into the contract (mizan account deposit); what "
              "is deposited counts after some blocks",
        {}}.with("field", "bid.buyer"));
  submit(std::move(call),
         exchange::PlaceBid{std::move(body->message), std::move(body->text), body->signature},
         buyer, [this](const Outcome& outcome, const Exchange& core) {
           const exchange::Answer& answer = *outcome.answer;
           json::array leases;
           std::string status = answer.resting ? "resting" : "matched";
           for (const LeaseId& id : answer.leases)
             if (const exchange::Lease* lease = core.find_lease(id)) {
               leases.push_back(lease_json(*lease, context_));
               if (lease->state == exchange::LeaseState::held) status = "held";
             }
           json::array policy;  // what policy kept it from on the way
           for (const exchange::Event& event : outcome.events)
             if (const auto* spoke = std::get_if<exchange::PolicySpoke>(&event);
                 spoke != nullptr && spoke->order == answer.order)
               policy.push_back(spoken_json(*spoke));
           return json::object{{"order", to_json(answer.order)},
                               {"status", status},
                               {"leases", std::move(leases)},
                               {"policy", std::move(policy)}};
         });
}

void Routes::post_bid_cancel(Call call) {
  auto body = read_signed<eip712::CancelBids>(call.request.body, "cancel");
  if (!body) return call.refuse(body.error());
  const Address owner = body->first.owner;
  submit(std::move(call), exchange::CancelBids{body->first, body->second}, owner, nothing_more);
}

void Routes::post_request_close(Call call) {
  auto body = read_signed<eip712::RequestClose>(call.request.body, "request");
  if (!body) return call.refuse(body.error());
  const LeaseId id = body->first.lease;
  if (parse_fixed<LeaseId>(call.path[0]) != id)
    return call.refuse(
        Error{ErrorCode::invalid_argument, "request.lease: another lease than the path's", {}}.with(
            "field", "request.lease"));
  const auto buyer = context_.state.read([&](const Exchange& core) -> std::optional<Address> {
    const exchange::Lease* lease = core.find_lease(id);
    return lease ? std::optional(lease->terms.buyer) : std::nullopt;
  });
  if (!buyer) return call.refuse({ErrorCode::not_found, "there is no such lease", {}});
  submit(std::move(call), exchange::RequestClose{body->first, body->second}, *buyer,
         [this, id](const Outcome&, const Exchange& core) {
           json::object out;
           if (const exchange::Lease* lease = core.find_lease(id))
             out["lease"] = lease_json(*lease, context_);
           return out;
         });
}

void Routes::post_voucher(Call call) {
  auto body = read_signed<eip712::Voucher>(call.request.body, "voucher");
  if (!body) return call.refuse(body.error());
  const LeaseId id = body->first.lease;
  if (parse_fixed<LeaseId>(call.path[0]) != id)
    return call.refuse(
        Error{ErrorCode::invalid_argument, "voucher.lease: another lease than the path's", {}}.with(
            "field", "voucher.lease"));
  // Whoever has seen a voucher could send it again for ever: that takes no place in the journal.
  const auto buyer = context_.state.read([&](const Exchange& core) -> Result<Address> {
    const exchange::Lease* lease = core.find_lease(id);
    if (lease == nullptr) return fail(ErrorCode::not_found, "there is no such lease");
    if (lease->over()) return fail(ErrorCode::conflict, "the lease is over: " + lease->reason);
    if (body->first.cumulative <= lease->vouchered)
      return fail(ErrorCode::conflict, "voucher.cumulative is not above the last voucher, " +
                                           to_string(lease->vouchered));
    return lease->terms.buyer;
  });
  if (!buyer) return call.refuse(buyer.error());
  submit(std::move(call), exchange::PostVoucher{body->first, body->second}, *buyer, nothing_more);
}

}  // namespace mizan::service
