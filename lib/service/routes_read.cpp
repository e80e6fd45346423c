// The calls that only read.
#include "codec/domain_json.hpp"
#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "service/files.hpp"
#include "service/routes.hpp"
#include "service/wire.hpp"

#include <fmt/format.h>

#include <charconv>
#include <fcntl.h>

namespace mizan::service {

using exchange::Exchange;
using exchange::Lease;

namespace {

constexpr uint64_t kMostRows = 1000;
constexpr uint64_t kUsualRows = 100;

Result<uint64_t> number_of(const net::Headers& query, std::string_view name, uint64_t otherwise) {
  const std::string* text = net::find_header(query, name);
  if (text == nullptr || text->empty()) return otherwise;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size())
    return bad_field(name, "is a whole number");
  return value;
}

/// Refuses a field that the call does not know.
Result<void> only(const net::Headers& query, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : query)
    if (std::find(known.begin(), known.end(), name) == known.end())
      return bad_field(name, "is no field of this call's query", ErrorCode::unknown_field);
  return {};
}

void answer(const Call& call, const Result<json::value>& value) {
  if (value)
    call.respond(json_response(*value));
  else
    call.refuse(value.error());
}

}  // namespace

void Routes::get_exchange(Call call) {
  const exchange::Genesis& config = *context_.state.unlocked().config();
  const auto [rule_set, clearance] = context_.state.read(
      [](const Exchange& core) { return std::pair(core.policy().rule_set, core.clearance()); });
  json::object out{{"id", to_json(config.exchange_id)},
                   {"identity", to_json(config.identity)},
                   {"meter", to_json(config.meter)},
                   {"clearance", to_json(clearance)},
                   {"operator", to_json(config.operator_)},
                   {"domain", domain_json(context_.domain)},
                   {"feeBps", config.fee_bps},
                   {"voucherIntervalSeconds", config.voucher_interval_s},
                   {"readinessSeconds", config.readiness_s},
                   {"ruleSet", to_json(rule_set)},
                   {"settlement", config.chain ? "evm" : "credits"},
                   {"timeMs", context_.time.now().ms}};
  if (config.chain)
    out["chain"] = json::object{{"token", to_json(config.chain->token)},
                                {"decimals", config.chain->decimals},
                                {"closeDelaySeconds", config.chain->close_delay_s},
                                {"depth", config.chain->depth},
                                {"leastEscrow", to_string(config.chain->least_escrow)}};
  call.respond(json_response(std::move(out)));
}

void Routes::get_openapi(Call call) {
  net::Response response;
  response.body = openapi_text();
  call.respond(std::move(response));
}

void Routes::get_health(Call call) {
  if (context_.sequencer.failed())
    return call.refuse(
        {ErrorCode::unavailable, "the journal failed; the exchange is stopping", {}});
  const uint64_t sequence =
      context_.state.read([](const Exchange& core) { return core.last_sequence(); });
  json::object out{{"status", "ok"}, {"sequence", sequence}, {"timeMs", context_.time.now().ms}};
  if (const uint64_t ahead = context_.time.astray_ms(); ahead > 0) out["clockAheadMs"] = ahead;
  if (context_.parts.chain != nullptr) {
    const ChainBoard::Health chain = context_.chain.get();
    json::object told{{"block", chain.block},
                      {"head", chain.head},
                      {"trouble", text_json(chain.trouble)},
                      {"away", chain.away}};
    if (chain.gas) told["gasWei"] = to_string(*chain.gas);
    out["chain"] = std::move(told);
  }
  call.respond(json_response(std::move(out)));
}

void Routes::get_metrics(Call call) {
  uint64_t sequence = 0;
  exchange::MoneyTotals money;
  size_t held = 0;
  size_t reviewed = 0;
  context_.state.read([&](const Exchange& core) {
    sequence = core.last_sequence();
    money = core.totals();
    held = core.held().size();
    reviewed = core.review().size();
  });
  net::Response response;
  response.content_type = "text/plain; version=0.0.4";
  const auto add = [&](std::string_view name, std::string_view type, std::string_view help,
                       const std::string& value) {
    response.body += fmt::format("# HELP mizan_{0} {1}\n# TYPE mizan_{0} {2}\nmizan_{0} {3}\n",
                                 name, help, type, value);
  };
  const auto number = [](uint64_t value) { return std::to_string(value); };
  add("commands_total", "counter", "Commands applied, ever.", number(sequence));
  add("commit_groups_total", "counter", "Synced groups since the start.",
      number(context_.sequencer.groups()));
  add("requests_total", "counter", "HTTP requests since the start.", number(context_.requests));
  add("refusals_total", "counter", "Requests and messages refused.", number(context_.refusals));
  add("agents", "gauge", "Agents connected.", number(context_.agents));
  add("lease_streams", "gauge", "Leases followed live.", number(context_.streams));
  add("held_leases", "gauge", "Deals that wait for an officer.", number(held));
  add("reviewed_leases", "gauge", "Live leases that would not pass now.", number(reviewed));
  add("artifact_bytes", "gauge", "Bytes in the artifact store.",
      number(context_.artifacts->total_bytes()));
  add("granted_nano", "counter", "nano-USD granted, ever.", to_string(money.granted));
  add("balances_nano", "gauge", "nano-USD in balances.", to_string(money.balances));
  add("escrow_nano", "gauge", "nano-USD in escrow.", to_string(money.escrow));
  add("fees_nano", "counter", "nano-USD of fees, ever.", to_string(money.fees));
  call.respond(std::move(response));
}

void Routes::get_offers(Call call) {
  answer(call, [&]() -> Result<json::value> {
    // Every live ask is looked at, for anybody.
    MIZAN_CHECK(context_.searches.take(call.request.peer));
    MIZAN_CHECK(only(call.query, {"query", "order", "limit"}));
    MIZAN_TRY(limit, number_of(call.query, "limit", kUsualRows));
    if (limit > kMostRows) return bad_field("limit", "is at most 1000");
    MIZAN_TRY(offers, context_.state.read([&](const Exchange& core) {
      return core.offers(net::header_or_empty(call.query, "query"),
                         net::header_or_empty(call.query, "order"), limit);
    }));
    return json::object{{"offers", offers_json(offers)}};
  }());
}

void Routes::get_account(Call call) {
  answer(call, [&]() -> Result<json::value> {
    MIZAN_TRY(who, caller(call.request));
    auto address = parse_address(call.path[0]);
    if (!address) return bad_field("address", address.error().message);
    if (who != *address && who != context_.config.operator_)
      return fail(ErrorCode::forbidden, "only its owner and the operator may see an account");
    return context_.state.read(
        [&](const Exchange& core) -> json::value { return account_json(*address, core); });
  }());
}

void Routes::get_leases(Call call) {
  answer(call, [&]() -> Result<json::value> {
    MIZAN_TRY(who, caller(call.request));
    MIZAN_CHECK(only(call.query, {"account", "state", "limit"}));
    MIZAN_TRY(limit, number_of(call.query, "limit", kUsualRows));
    if (limit > kMostRows) return bad_field("limit", "is at most 1000");
    const bool is_operator = who == context_.config.operator_;
    std::optional<Address> account;
    if (const std::string* text = net::find_header(call.query, "account")) {
      auto address = parse_address(*text);
      if (!address) return bad_field("account", address.error().message);
      account = *address;
    } else if (!is_operator) {
      account = who;
    }
    if (account && *account != who && !is_operator)
      return fail(ErrorCode::forbidden, "only its owner and the operator may see its leases");
    const std::string state(net::header_or_empty(call.query, "state"));
    json::array rows;
    context_.state.read([&](const Exchange& core) {
      for (const Lease* lease : account ? core.leases_of(*account) : core.all_leases()) {
        if (rows.size() >= limit) break;
        if (state == "live" ? lease->over() : !state.empty() && state != to_string(lease->state))
          continue;
        rows.push_back(lease_json(*lease, context_));
      }
    });
    return json::object{{"leases", std::move(rows)}};
  }());
}

Result<json::value> Routes::with_lease(const Call& call,
                                       const std::function<Result<json::value>(const Lease&)>& f,
                                       bool relays) {
  MIZAN_TRY(who, caller(call.request));
  if (relays) MIZAN_CHECK(relays_for(who, false));
  const auto id = parse_fixed<LeaseId>(call.path[0]);
  return context_.state.read([&](const Exchange& core) -> Result<json::value> {
    const Lease* lease = id ? core.find_lease(*id) : nullptr;
    if (lease == nullptr) return fail(ErrorCode::not_found, "there is no lease " + call.path[0]);
    MIZAN_CHECK(may_see(*lease, who));
    return f(*lease);
  });
}

void Routes::get_lease(Call call) {
  answer(call, with_lease(call, [&](const Lease& lease) -> Result<json::value> {
           return lease_json(lease, context_);
         }));
}

void Routes::get_metering(Call call) {
  answer(call, with_lease(call, [&](const Lease& lease) -> Result<json::value> {
           return metering_json(lease, agents_.last_heartbeat(lease.terms.provider));
         }));
}

void Routes::get_receipt(Call call) {
  std::optional<Lease> copy;  // signed outside the lock
  const auto found = with_lease(call, [&](const Lease& lease) -> Result<json::value> {
    copy = lease;
    return json::value(nullptr);
  });
  if (!found) return call.refuse(found.error());
  auto bundle = receipt_bundle(*copy, context_.domain, context_.parts.keys);
  if (!bundle) return call.refuse(bundle.error());
  call.respond(json_response(*std::move(bundle)));
}

void Routes::get_logs(Call call) {
  LeaseId id;
  const auto found = with_lease(
      call,
      [&](const Lease& lease) -> Result<json::value> {
        id = lease.id;
        return json::value(nullptr);
      },
      true);
  if (!found) return call.refuse(found.error());
  const auto offset = number_of(call.query, "offset", 0);
  if (!offset) return call.refuse(offset.error());
  net::Response response;
  response.content_type = "application/octet-stream";
  const uint64_t size = context_.logs.size(id);
  if (*offset < size) {
    Descriptor file(::open(context_.logs.file(id).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.open()) return call.refuse(file_error("read", "the lease's log"));
    response.file.emplace(file.release(), *offset, size - *offset);
  }
  call.respond(std::move(response));
}

void Routes::post_plan(Call call) {
  exchange::PlanRequest wanted;
  const auto parsed = [&]() -> Result<void> {
    MIZAN_TRY(body, parse_json(call.request.body, {}, "the body"));
    ObjectReader in(body, "plan");
    in.required("nodes", wanted.nodes);
    in.required("unitsPerNode", wanted.units_per_node);
    in.required("query", wanted.query);
    in.required("maxRate", wanted.max_rate);
    in.required("maxSeconds", wanted.max_seconds);
    in.optional("interruptible", wanted.interruptible);
    Address buyer;
    if (in.optional("buyer", buyer)) wanted.buyer = buyer;
    json::value declaration;
    if (in.optional("declaration", declaration)) {
      MIZAN_TRY(read, exchange::read_declaration(declaration, "plan.declaration"));
      wanted.declaration = std::move(read);
    }
    MIZAN_CHECK(in.finish());
    // What policy says of a party is told to nobody else.
    if (!wanted.buyer) return {};
    MIZAN_TRY(who, caller(call.request, call.request.body));
    if (who == *wanted.buyer) return {};
    return bad_field("plan.buyer", "is another account than the one that asks",
                     ErrorCode::forbidden);
  }();
  if (!parsed) return call.refuse(parsed.error());
  if (const auto limited = context_.plans.take(call.request.peer); !limited)
    return call.refuse(limited.error());
  std::vector<market::Reason> reasons;
  const auto lines = context_.state.read(
      [&](const Exchange& core) { return core.plan(wanted, kUsualRows, &reasons); });
  if (!lines) return call.respond(refusal(lines.error(), reasons));
  call.respond(json_response(json::object{{"offers", plan_json(*lines)}}));
}

}  // namespace mizan::service
