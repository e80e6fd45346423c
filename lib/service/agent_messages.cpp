#include "service/agent_messages.hpp"

#include "codec/json_fields.hpp"
#include "exchange/receipt.hpp"
#include "service/wire.hpp"

namespace mizan::service {

std::string welcome_message(const exchange::Exchange& exchange, const Address& provider, UnixMs now,
                            const ExchangeKeys& keys,
                            const std::function<uint64_t(const LeaseId&)>& log_size) {
  json::array leases;
  const auto add = [&](const exchange::Lease& lease) {
    leases.push_back(json::object{{"lease", to_json(lease.id)},
                                  {"state", std::string(to_string(lease.state))},
                                  {"phase", lease.phase},
                                  {"closing", lease.closing || lease.over()},
                                  {"logBytes", log_size(lease.id)}});
  };
  for (const exchange::Lease* lease : exchange.live_leases_of(provider)) add(*lease);
  // Over here and open on the chain: the provider's Close ends it there.
  for (const exchange::Lease* lease : exchange.settling())
    if (lease->over() && !lease->close && lease->terms.provider == provider) add(*lease);
  return json_text(json::object{{"type", "welcome"},
                                {"exchange", to_json(keys.exchange_id())},
                                {"timeMs", now.ms},
                                {"leases", std::move(leases)}});
}

std::string match_message(const exchange::Lease& lease, UnixMs accept_by) {
  std::string text = json_text(json::object{{"type", "match"},
                                            {"lease", to_json(lease.id)},
                                            {"terms", to_json(lease.terms)},
                                            {"bid", to_json(lease.bid)},
                                            {"bidSignature", to_json(lease.bid_signature)},
                                            {"acceptByMs", accept_by.ms}});
  // The spec is canonical JSON already, and its bytes are what the bid's hash is over.
  text.pop_back();
  return text + ",\"spec\":" + lease.spec + "}";
}

std::string opening_message(const LeaseId& lease) {
  return json_text(json::object{{"type", "opening"}, {"lease", to_json(lease)}});
}

std::string funded_message(const exchange::Lease& lease, const eip712::Domain& domain,
                           const ExchangeKeys& keys) {
  const eip712::Clearance clearance = exchange::clearance_of(lease);
  return json_text(
      json::object{{"type", "funded"},
                   {"lease", to_json(lease.id)},
                   {"clearance", to_json(clearance)},
                   {"signature", to_json(eip712::sign(domain, clearance, keys.clearance))}});
}

std::string voucher_message(const eip712::Voucher& voucher, const Signature& signature) {
  return json_text(json::object{
      {"type", "voucher"}, {"voucher", to_json(voucher)}, {"signature", to_json(signature)}});
}

std::string stop_message(const LeaseId& lease, const std::string& reason) {
  return json_text(
      json::object{{"type", "stop"}, {"lease", to_json(lease)}, {"reason", to_json(reason)}});
}

std::string closed_message(const exchange::Lease& lease, const eip712::Domain& domain,
                           const ExchangeKeys& keys) {
  json::object out{{"type", "closed"}, {"lease", to_json(lease.id)}};
  if (lease.funded()) {
    const SignedReceipt receipt = sign_receipt(lease, domain, keys);
    out["receipt"] = to_json(receipt.receipt);
    out["signature"] = to_json(receipt.signature);
  } else {
    out["reason"] = to_json(lease.reason);
  }
  return json_text(out);
}

std::string ask_ended_message(const OrderId& ask, const std::string& reason) {
  return json_text(
      json::object{{"type", "ask_ended"}, {"ask", to_json(ask)}, {"reason", to_json(reason)}});
}

std::string policy_message(const exchange::PolicySpoke& spoke) {
  json::object out = spoken_json(spoke);
  out["type"] = "policy";
  out["order"] = to_json(spoke.order);
  return json_text(out);
}

std::string log_ok_message(const LeaseId& lease, uint64_t size) {
  return json_text(json::object{{"type", "log_ok"}, {"lease", to_json(lease)}, {"size", size}});
}

std::string error_message(const std::optional<uint64_t>& id, const Error& error) {
  json::object out = net::error_object(error);
  out["type"] = "error";
  if (id) out["id"] = *id;
  return json_text(out);
}

}  // namespace mizan::service
