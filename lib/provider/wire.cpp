#include "provider/wire.hpp"

#include "base/ensure.hpp"
#include "base/utf8.hpp"
#include "codec/base64.hpp"
#include "codec/domain_json.hpp"
#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"
#include "provider/exchange_facts.hpp"

namespace mizan::provider {
namespace {

constexpr size_t kLeasesMax = 10'000;

std::string message(std::string_view type, json::object fields) {
  fields["type"] = json::string_view(type.data(), type.size());
  return json_text(fields);
}

Result<Incoming> read_welcome(const json::value& value) {
  ObjectReader in(value, "welcome");
  Welcome welcome;
  in.required("timeMs", welcome.time_ms);
  const json::value* leases = in.find("leases");
  if (in.failed()) return fail(in.finish().error());
  if (leases == nullptr || !leases->is_array() || leases->get_array().size() > kLeasesMax)
    return bad_field("welcome.leases", "must be an array of at most 10,000 leases");
  for (const json::value& each : leases->get_array()) {
    ObjectReader lease(each, "welcome.leases");
    WelcomeLease found;
    lease.required("lease", found.lease);
    lease.required("state", found.state);
    lease.required("logBytes", found.log_bytes);
    lease.optional("closing", found.closing);
    if (lease.failed()) return fail(lease.finish().error());
    welcome.leases.push_back(std::move(found));
  }
  return welcome;
}

Result<Incoming> read_match(const json::value& value) {
  ObjectReader in(value, "match");
  Match match;
  std::string type;
  in.required("type", type);
  in.required("lease", match.lease);
  in.required("terms", match.terms);
  in.required("bid", match.bid);
  in.required("bidSignature", match.bid_signature);
  in.required("acceptByMs", match.accept_by_ms);
  const json::value* spec = in.find("spec");
  MIZAN_CHECK(in.finish());
  if (spec == nullptr) return bad_field("match.spec", "is missing");
  MIZAN_TRY(hash, canonical_json_hash(*spec));
  match.spec_hash = hash;
  // What the buyer declares of the deal is for the exchange's rules: here it counts in the hash.
  json::value mine = *spec;
  if (mine.is_object()) mine.get_object().erase("declaration");
  MIZAN_TRY(read, from_json<job::Spec>(mine, "match.spec"));
  match.spec = std::move(read);
  return match;
}

Result<Incoming> read_opening(const json::value& value) {
  ObjectReader in(value, "opening");
  Opening opening;
  std::string type;
  in.required("type", type);
  in.required("lease", opening.lease);
  MIZAN_CHECK(in.finish());
  return opening;
}

Result<Incoming> read_funded(const json::value& value) {
  ObjectReader in(value, "funded");
  Funded funded;
  std::string type;
  in.required("type", type);
  in.required("lease", funded.lease);
  in.required("clearance", funded.clearance);
  in.required("signature", funded.signature);
  MIZAN_CHECK(in.finish());
  return funded;
}

Result<Incoming> read_log_ok(const json::value& value) {
  ObjectReader in(value, "log_ok");
  LogOk ok;
  std::string type;
  in.required("type", type);
  in.required("lease", ok.lease);
  in.required("size", ok.size);
  MIZAN_CHECK(in.finish());
  return ok;
}

Result<Incoming> read_voucher(const json::value& value) {
  ObjectReader in(value, "voucher");
  VoucherMessage voucher;
  std::string type;
  in.required("type", type);
  in.required("voucher", voucher.voucher);
  in.required("signature", voucher.signature);
  MIZAN_CHECK(in.finish());
  return voucher;
}

Result<Incoming> read_policy(const json::value& value) {
  constexpr size_t kMost = 8192;
  ObjectReader in(value, "policy");
  PolicySpoke spoke;
  std::string type;
  in.required("type", type);
  in.required("ask", spoke.ask);
  in.required("order", spoke.order);
  in.required("held", spoke.held);
  in.required("rule", spoke.rule);
  in.required("head", spoke.head);
  in.required("outcome", spoke.outcome);
  in.required("sentence", spoke.sentence);
  in.required("missing", spoke.missing);
  MIZAN_CHECK(in.finish());
  for (const std::string* text :
       {&spoke.rule, &spoke.head, &spoke.outcome, &spoke.sentence, &spoke.missing})
    if (text->size() > kMost) return bad_field("policy", "a text has at most 8192 bytes");
  return spoke;
}

Result<Incoming> read_ask_ended(const json::value& value) {
  ObjectReader in(value, "ask_ended");
  AskEnded ended;
  std::string type;
  in.required("type", type);
  in.required("ask", ended.ask);
  in.required("reason", ended.reason);
  MIZAN_CHECK(in.finish());
  if (ended.reason.empty() || ended.reason.size() > 64)
    return bad_field("ask_ended.reason", "must be 1 to 64 bytes");
  return ended;
}

Result<Incoming> read_stop(const json::value& value) {
  ObjectReader in(value, "stop");
  Stop stop;
  std::string type;
  in.required("type", type);
  in.required("lease", stop.lease);
  in.required("reason", stop.reason);
  MIZAN_CHECK(in.finish());
  if (stop.reason.empty() || stop.reason.size() > 64)
    return bad_field("stop.reason", "must be 1 to 64 bytes");
  return stop;
}

Result<Incoming> read_closed(const json::value& value) {
  ObjectReader in(value, "closed");
  Closed closed;
  std::string type;
  in.required("type", type);
  in.required("lease", closed.lease);
  in.optional("receipt", closed.receipt);
  in.optional("signature", closed.signature);
  in.optional("reason", closed.reason);
  MIZAN_CHECK(in.finish());
  if (closed.reason.size() > 64) return bad_field("closed.reason", "has at most 64 bytes");
  return closed;
}

/// A reply or an error. One without an id answers nothing that was asked and is only told.
Result<Incoming> read_reply(const json::value& value, bool is_error) {
  ObjectReader in(value, is_error ? "error" : "reply");
  Reply reply;
  in.optional("id", reply.id);
  if (!is_error) {
    eip712::Acknowledgement word;
    if (in.optional("acknowledgement", word)) reply.time_ms = word.time_ms;
    if (in.failed()) return fail(in.finish().error());
    return reply;
  }
  Error error;
  std::string code;
  in.required("code", code);
  in.required("message", error.message);
  in.optional("details", error.details);
  if (in.failed()) return fail(in.finish().error());
  error.code = ErrorCode::internal;
  if (const auto known = parse_error_code(code)) error.code = *known;
  reply.error = std::move(error);
  return reply;
}

}  // namespace

Result<Incoming> parse_incoming(std::string_view text) {
  MIZAN_TRY(value, parse_json(text, {}, "the message"));
  const json::value* type = value.is_object() ? value.get_object().if_contains("type") : nullptr;
  if (type == nullptr || !type->is_string())
    return bad_field("type", "every message is an object that names its type");
  const json::string& name = type->get_string();
  if (name == "welcome") return read_welcome(value);
  if (name == "match") return read_match(value);
  if (name == "opening") return read_opening(value);
  if (name == "funded") return read_funded(value);
  if (name == "log_ok") return read_log_ok(value);
  if (name == "voucher") return read_voucher(value);
  if (name == "stop") return read_stop(value);
  if (name == "closed") return read_closed(value);
  if (name == "policy") return read_policy(value);
  if (name == "ask_ended") return read_ask_ended(value);
  if (name == "reply" || name == "error") return read_reply(value, name == "error");
  return bad_field("type", "unknown message type");
}

std::string ask_message(uint64_t id, const eip712::Ask& ask, std::string_view attributes,
                        const Signature& signature) {
  auto parsed = parse_json(attributes, {}, "the attributes");
  ensure(parsed.has_value(), "an agent's attributes are JSON");
  return message("ask", {{"id", id},
                         {"ask", to_json(ask)},
                         {"attributes", *std::move(parsed)},
                         {"signature", to_json(signature)}});
}

std::string heartbeat_message(uint64_t id, const eip712::Heartbeat& heartbeat,
                              const Signature& signature) {
  return message(
      "heartbeat",
      {{"id", id}, {"heartbeat", to_json(heartbeat)}, {"signature", to_json(signature)}});
}

std::string accept_message(uint64_t id, const eip712::Terms& terms, const Signature& signature) {
  return message("accept",
                 {{"id", id}, {"terms", to_json(terms)}, {"signature", to_json(signature)}});
}

std::string reject_message(uint64_t id, const LeaseId& lease, const Error& why) {
  return message("reject", {{"id", id},
                            {"lease", to_json(lease)},
                            {"code", to_json(std::string(to_string(why.code)))},
                            {"message", to_json(printable_utf8(why.message.substr(0, 500)))}});
}

std::string log_message(uint64_t id, const LeaseId& lease, uint64_t offset, ByteView data) {
  return message(
      "log",
      {{"id", id}, {"lease", to_json(lease)}, {"offset", offset}, {"data", to_json(base64(data))}});
}

std::string close_message(uint64_t id, const eip712::Close& close, const Signature& signature) {
  return message("close",
                 {{"id", id}, {"close", to_json(close)}, {"signature", to_json(signature)}});
}

std::string cancel_body(const eip712::CancelAsk& cancel, const Signature& signature) {
  return json_text(json::object{{"cancel", to_json(cancel)}, {"signature", to_json(signature)}});
}

Result<ExchangeFacts> parse_exchange(std::string_view text) {
  MIZAN_TRY(value, parse_json(text, {}, "the exchange's answer"));
  ObjectReader in(value, "exchange");
  ExchangeFacts facts;
  in.required("id", facts.id);
  in.required("identity", facts.identity);
  in.required("meter", facts.meter);
  in.required("clearance", facts.clearance);
  in.required("feeBps", facts.fee_bps);
  in.required("voucherIntervalSeconds", facts.voucher_interval_s);
  in.required("readinessSeconds", facts.readiness_s);
  in.optional("timeMs", facts.time_ms);
  json::value domain;
  in.optional("domain", domain);
  if (in.failed()) return fail(in.finish().error());
  Bytes named(as_bytes("mizan-exchange").begin(), as_bytes("mizan-exchange").end());
  named.insert(named.end(), facts.identity.bytes.begin(), facts.identity.bytes.end());
  if (keccak256(named) != facts.id)
    return bad_field("exchange.id", "does not follow from its identity",
                     ErrorCode::unauthenticated);
  MIZAN_TRY(read, read_domain(domain, facts.id));
  if (!read.is_credits()) facts.chain = read;
  return facts;
}

}  // namespace mizan::provider
