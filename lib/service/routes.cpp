#include "service/routes.hpp"

#include "service/wire.hpp"

#include <charconv>

namespace mizan::service {
namespace {

constexpr uint64_t kOrderBytes = 512 << 10;  // a spec of 64 KiB, escaped, with room

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const size_t end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

}  // namespace

struct Routes::Route {
  std::string_view method;
  std::string_view pattern;
  uint64_t max_body;
  void (Routes::*handle)(Call);
};

const std::vector<Routes::Route>& Routes::routes() {
  static const std::vector<Route> kRoutes = {
      {"GET", "/v1/exchange", 0, &Routes::get_exchange},
      {"GET", "/v1/openapi.json", 0, &Routes::get_openapi},
      {"GET", "/v1/health", 0, &Routes::get_health},
      {"GET", "/v1/metrics", 0, &Routes::get_metrics},
      {"GET", "/v1/offers", 0, &Routes::get_offers},
      {"GET", "/v1/accounts/{}", 0, &Routes::get_account},
      {"POST", "/v1/grants", kSmallBodyBytes, &Routes::post_grant},
      {"POST", "/v1/asks", kSmallBodyBytes * 2, &Routes::post_ask},
      {"POST", "/v1/asks/cancel", kSmallBodyBytes, &Routes::post_ask_cancel},
      {"POST", "/v1/bids", kOrderBytes, &Routes::post_bid},
      {"POST", "/v1/bids/cancel", kSmallBodyBytes, &Routes::post_bid_cancel},
      {"POST", "/v1/plan", kSmallBodyBytes, &Routes::post_plan},
      {"GET", "/v1/leases", 0, &Routes::get_leases},
      {"GET", "/v1/leases/{}", 0, &Routes::get_lease},
      {"GET", "/v1/leases/{}/logs", 0, &Routes::get_logs},
      {"POST", "/v1/leases/{}/request-close", kSmallBodyBytes, &Routes::post_request_close},
      {"GET", "/v1/leases/{}/metering", 0, &Routes::get_metering},
      {"POST", "/v1/leases/{}/voucher", kSmallBodyBytes, &Routes::post_voucher},
      {"GET", "/v1/leases/{}/receipt", 0, &Routes::get_receipt},
      {"GET", "/v1/leases/{}/verdict", 0, &Routes::get_verdict},
      {"GET", "/v1/policy", 0, &Routes::get_policy},
      {"POST", "/v1/policy", kSmallBodyBytes * 2, &Routes::post_policy},
      {"GET", "/v1/policy/rulesets/{}", 0, &Routes::get_rule_set},
      {"PUT", "/v1/policy/rulesets", kRuleSetBytes, &Routes::put_rule_set},
      {"GET", "/v1/policy/queue", 0, &Routes::get_queue},
      {"GET", "/v1/policy/review", 0, &Routes::get_review},
      {"POST", "/v1/policy/decisions", kSmallBodyBytes, &Routes::post_decision},
      {"POST", "/v1/policy/listings", kSmallBodyBytes, &Routes::post_listing},
      {"POST", "/v1/policy/licences", kSmallBodyBytes, &Routes::post_licence},
      {"POST", "/v1/credentials/challenge", kSmallBodyBytes, &Routes::post_challenge},
      {"POST", "/v1/credentials", kOrderBytes, &Routes::post_credential},
      {"PUT", "/v1/artifacts/{}", 0, &Routes::put_artifact},
      {"GET", "/v1/artifacts/{}", 0, &Routes::get_artifact},
  };
  return kRoutes;
}

Result<std::pair<const Routes::Route*, std::vector<std::string>>> Routes::find(
    std::string_view method, std::string_view path) {
  const auto parts = path.starts_with('/') ? split(path) : std::vector<std::string_view>();
  for (const Route& route : routes()) {
    if (route.method != method) continue;
    const auto wanted = split(route.pattern);
    if (wanted.size() != parts.size()) continue;
    std::vector<std::string> found;
    bool fits = true;
    for (size_t i = 0; fits && i < parts.size(); ++i) {
      if (wanted[i] == "{}")
        found.emplace_back(parts[i]);
      else
        fits = wanted[i] == parts[i];
    }
    if (fits) return std::pair(&route, std::move(found));
  }
  return fail(ErrorCode::not_found, "there is no such call; GET /v1/openapi.json lists them");
}

Result<net::BodyPlan> Routes::plan(const net::Request& head) {
  MIZAN_TRY(found, find(head.method, head.path()));
  if (found.first->handle == &Routes::put_artifact) return plan_artifact(head, found.second[0]);
  return net::BodyPlan{found.first->max_body, nullptr};
}

void Routes::handle(net::Request request, std::shared_ptr<net::BodySink> sink,
                    net::Respond respond) {
  ++context_.requests;
  auto found = find(request.method, request.path());
  auto query = net::parse_query(request.query());
  const auto counted = [this, respond = std::move(respond)](net::Response response) {
    if (response.status >= 400) ++context_.refusals;
    respond(std::move(response));
  };
  if (!found) return counted(net::error_response(found.error()));
  if (!query) return counted(net::error_response(query.error()));
  Call call{std::move(request), std::move(found->second), *std::move(query), std::move(sink),
            counted};
  try {
    (this->*found->first->handle)(std::move(call));
  } catch (const std::exception&) {
    counted(net::error_response(
        {ErrorCode::internal, "the exchange could not handle this request", {}}));
  }
}

Result<Address> Routes::caller(const net::Request& request, std::string_view body) {
  return context_.authenticator.check(request, body, context_.time.now());
}

Result<void> Routes::may_see(const exchange::Lease& lease, const Address& who) const {
  if (who == lease.terms.buyer || who == lease.terms.provider || who == context_.config.operator_)
    return {};
  return fail(ErrorCode::forbidden, "only the lease's parties and the operator may see it");
}

Result<std::shared_ptr<net::SocketHandler>> Routes::upgrade(const net::Request& head) {
  ++context_.requests;
  MIZAN_TRY(query, net::parse_query(head.query()));
  const auto parts = split(head.path());
  if (head.path() == "/v1/offers/watch") {
    MIZAN_CHECK(context_.searches.take(head.peer));
    return watch_.open(std::string(net::header_or_empty(query, "query")), head.peer);
  }
  if (head.path() == "/v1/agent") {
    MIZAN_TRY(provider, caller(head));
    MIZAN_CHECK(context_.reconnects.take(hex0x(provider.view())));
    return agents_.open(provider, head.peer);
  }
  if (parts.size() == 4 && parts[1] == "leases" && parts[3] == "stream") {
    auto id = parse_fixed<LeaseId>(parts[2]);
    if (!id) return fail(ErrorCode::not_found, "there is no such lease");
    uint64_t offset = 0;
    if (const std::string* text = net::find_header(query, "offset")) {
      const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), offset);
      if (error != std::errc() || end != text->data() + text->size())
        return fail(Error{ErrorCode::invalid_argument, "offset: a number of bytes", {}}.with(
            "field", "offset"));
    }
    MIZAN_TRY(who, caller(head));
    MIZAN_CHECK(context_.state.read([&](const exchange::Exchange& core) -> Result<void> {
      const exchange::Lease* lease = core.find_lease(*id);
      if (lease == nullptr) return fail(ErrorCode::not_found, "there is no such lease");
      return may_see(*lease, who);
    }));
    MIZAN_CHECK(relays_for(who, false));
    return streams_.open(*id, offset);
  }
  return fail(ErrorCode::not_found, "there is no such WebSocket");
}

}  // namespace mizan::service
