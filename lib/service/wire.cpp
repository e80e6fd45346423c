#include "service/wire.hpp"

#include "codec/domain_json.hpp"
#include "codec/json_fields.hpp"
#include "exchange/metering.hpp"
#include "exchange/receipt.hpp"
#include "service/context.hpp"

namespace mizan::service {
namespace {

json::value id_json(const Hash32& id) {
  return to_json(id);
}

/// A text that the exchange checked when it took it; what cannot be read any more is null.
json::value stored_json(std::string_view text) {
  auto value = parse_json(text, {}, "a stored text");
  return value ? *std::move(value) : json::value(nullptr);
}

/// The split of the pay; nothing is paid while the lease is not over.
json::array payees_json(const exchange::Lease& lease) {
  const std::vector<u128>& shares = lease.settlement.shares;
  json::array out;
  for (size_t i = 0; i < lease.payees.size(); ++i)
    out.push_back(json::object{{"to", to_json(lease.payees[i].to)},
                               {"bps", lease.payees[i].bps},
                               {"paid", to_string(i < shares.size() ? shares[i] : u128{0})}});
  return out;
}

}  // namespace

json::string text_json(std::string_view text) {
  return json::string(json::string_view(text.data(), text.size()));
}

json::object lease_json(const exchange::Lease& lease, const Context& context) {
  const exchange::Settlement& paid = lease.settlement;
  json::object out;
  out.reserve(32);
  out["lease"] = id_json(lease.id);
  out["order"] = id_json(lease.order);
  out["state"] = text_json(to_string(lease.state));
  out["reason"] = text_json(lease.reason);
  out["terms"] = to_json(lease.terms);
  out["chip"] = text_json(lease.chip);
  out["phase"] = lease.phase;
  out["exitCode"] = lease.exit_code;
  out["escrow"] = to_string(lease.escrow);
  out["rate"] = to_string(lease.terms.rate);
  out["units"] = lease.units();
  out["seconds"] = lease.terms.seconds;
  out["matchedAtMs"] = lease.matched_at.ms;
  out["openedAtMs"] = lease.opened_at.ms;
  out["closedAtMs"] = lease.closed_at.ms;
  out["coveredMs"] = lease.covered_ms;
  out["secondsBilled"] = lease.seconds_billed();
  out["vouchered"] = to_string(lease.vouchered);
  out["charged"] = to_string(paid.charged);
  out["paid"] = to_string(paid.paid);
  out["fee"] = to_string(paid.fee);
  out["refunded"] = to_string(paid.refunded);
  out["payees"] = payees_json(lease);
  out["outputs"] = id_json(lease.outputs);
  out["verdict"] = verdict_json(lease.verdict);
  const bool held = lease.state == exchange::LeaseState::held;
  out["heldUntilMs"] = held ? exchange::Exchange::held_until(lease).ms : 0;
  if (lease.state == exchange::LeaseState::opening) {
    const ChainBoard::Opening opening = context.chain.opening(lease.id);
    out["opening"] =
        json::object{{"blocks", opening.blocks ? json::value(*opening.blocks) : json::value()},
                     {"depth", opening.depth}};
  }
  out["logBytes"] = context.logs.size(lease.id);
  return out;
}

json::object metering_json(const exchange::Lease& lease,
                           const std::optional<exchange::Heartbeat>& heartbeat) {
  json::object out{{"lease", id_json(lease.id)},
                   {"openedAtMs", lease.opened_at.ms},
                   {"closing", lease.closing || lease.over()},
                   {"secondsBilled", lease.seconds_billed()},
                   {"vouchered", to_string(lease.vouchered)},
                   {"voucherSignature", nullptr},
                   {"heartbeat", nullptr},
                   {"status", nullptr},
                   {"signature", nullptr}};
  if (lease.vouchered != 0) out["voucherSignature"] = to_json(lease.voucher_signature);
  if (!heartbeat) return out;
  for (const eip712::LeaseStatus& status : heartbeat->heartbeat.leases) {
    if (status.lease != lease.id) continue;
    out["heartbeat"] = to_json(exchange::seal(heartbeat->heartbeat));
    out["status"] = to_json(status);
    out["signature"] = to_json(heartbeat->signature);
  }
  return out;
}

json::object offer_json(const exchange::Offer& offer) {
  const eip712::Ask& ask = offer.ask;
  json::object out;
  out.reserve(20);
  out["ask"] = id_json(offer.id);
  out["provider"] = to_json(ask.provider);
  out["chip"] = text_json(ask.chip);
  out["nodes"] = ask.nodes;
  out["unitsPerNode"] = ask.units_per_node;
  out["freeUnits"] = offer.free_units;
  out["minUnits"] = ask.min_units;
  out["rate"] = to_string(ask.rate);
  out["from"] = ask.from;
  out["until"] = ask.until;
  out["minSeconds"] = ask.min_seconds;
  out["maxSeconds"] = ask.max_seconds;
  out["interruptible"] = ask.interruptible;
  out["noticeSeconds"] = ask.notice_seconds;
  out["attributes"] = stored_json(offer.attributes);
  out["reliability"] = to_json(offer.reliability_pm);
  out["live"] = offer.live;
  return out;
}

json::array offers_json(const std::vector<exchange::Offer>& offers) {
  json::array out;
  for (const exchange::Offer& offer : offers) out.push_back(offer_json(offer));
  return out;
}

json::array plan_json(const std::vector<exchange::PlanLine>& lines) {
  json::array out;
  for (const exchange::PlanLine& line : lines)
    out.push_back(json::object{
        {"offer", offer_json(line.offer)},
        {"seconds", line.seconds},
        {"escrow", to_string(line.escrow)},
        {"disposition", line.disposition == policy::Disposition::hold ? "hold" : "pass"},
        {"note", text_json(line.note)}});
  return out;
}

json::object account_json(const Address& address, const exchange::Exchange& core) {
  const exchange::AccountView account = core.account(address);
  json::value facts;
  if (const exchange::PartyFacts* proven = core.facts_of(address))
    facts = json::object{{"issuer", text_json(proven->issuer)},
                         {"holds", core.facts_hold(address)},
                         {"expiresAt", proven->expires_at}};
  return {{"address", to_json(address)},
          {"balance", to_string(account.balance)},
          {"escrowed", to_string(account.escrowed)},
          {"earned", to_string(account.earned)},
          {"spent", to_string(account.spent)},
          {"openOrders", account.open_orders},
          {"frozen", core.is_frozen(address)},
          {"facts", std::move(facts)}};
}

json::object spoken_json(const exchange::PolicySpoke& spoke) {
  return {{"ask", id_json(spoke.ask)},           {"held", spoke.held},
          {"rule", text_json(spoke.rule)},       {"head", text_json(spoke.head)},
          {"outcome", text_json(spoke.outcome)}, {"sentence", text_json(spoke.sentence)},
          {"missing", text_json(spoke.missing)}};
}

json::object verdict_json(const exchange::Verdict& verdict) {
  return {{"verdict", text_json(verdict.outcome)},
          {"ruleSet", id_json(verdict.rule_set)},
          {"hash", id_json(verdict.hash)},
          {"note", text_json(verdict.note)}};
}

void add_acknowledgement(json::object& answer, uint64_t sequence, const Sealed& sealed) {
  answer["sequence"] = sequence;
  answer["acknowledgement"] = to_json(sealed.acknowledgement);
  answer["acknowledgementSignature"] = to_json(sealed.signature);
}

net::Response json_response(const json::value& value) {
  net::Response response;
  response.body = json_text(value);
  return response;
}

net::Response refusal(const Error& error, const std::vector<market::Reason>& reasons) {
  net::Response response = net::error_response(error);
  if (reasons.empty()) return response;
  json::array list;
  for (const market::Reason& reason : reasons)
    list.push_back(json::object{{"dimension", text_json(reason.dimension)},
                                {"removed", reason.removed},
                                {"alone", reason.alone},
                                {"nearest", text_json(reason.nearest)}});
  json::object body = net::error_object(error);
  body["details"].as_object()["reasons"] = std::move(list);
  response.body = json_text(body);
  return response;
}

SignedReceipt sign_receipt(const exchange::Lease& lease, const eip712::Domain& domain,
                           const ExchangeKeys& keys) {
  SignedReceipt out;
  out.receipt = exchange::receipt_of(lease);
  out.signature = eip712::sign(domain, out.receipt, keys.identity);
  return out;
}

Result<json::object> receipt_bundle(const exchange::Lease& lease, const eip712::Domain& domain,
                                    const ExchangeKeys& keys) {
  if (!lease.over())
    return fail(ErrorCode::conflict, "the lease is not over; its receipt comes with its end");
  if (!lease.funded())
    return fail(ErrorCode::not_found, "the lease never opened, so nothing was paid");
  const eip712::Clearance clearance = exchange::clearance_of(lease);
  const SignedReceipt receipt = sign_receipt(lease, domain, keys);
  json::object out;
  out["format"] = "mizan-receipt-1";
  out["exchange"] = {{"id", id_json(keys.exchange_id())},
                     {"identity", to_json(keys.identity.address())},
                     {"meter", to_json(keys.meter.address())},
                     {"clearance", to_json(keys.clearance.address())},
                     {"domain", domain_json(domain)}};
  out["bid"] = to_json(lease.bid);
  out["bidSignature"] = to_json(lease.bid_signature);
  out["terms"] = to_json(lease.terms);
  out["termsSignature"] = to_json(lease.terms_signature);
  out["payees"] = to_json(lease.payees);
  out["clearance"] = to_json(clearance);
  out["clearanceSignature"] = to_json(eip712::sign(domain, clearance, keys.clearance));
  const bool vouchered = lease.vouchered != 0;
  out["voucher"] = vouchered ? to_json(exchange::voucher_of(lease)) : json::value(nullptr);
  out["voucherSignature"] = vouchered ? to_json(lease.voucher_signature) : json::value(nullptr);
  const bool closed = exchange::ended_by_close(lease);
  out["close"] = closed ? to_json(lease.close) : json::value(nullptr);
  out["closeSignature"] = closed ? to_json(lease.close_signature) : json::value(nullptr);
  out["receipt"] = to_json(receipt.receipt);
  out["receiptSignature"] = to_json(receipt.signature);
  return out;
}

}  // namespace mizan::service
