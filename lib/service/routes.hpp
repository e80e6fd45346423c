// The HTTP calls of docs/PROTOCOL.md over the exchange.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "net/server.hpp"
#include "service/agent_hub.hpp"
#include "service/context.hpp"
#include "service/lease_streams.hpp"
#include "service/offer_watch.hpp"

#include <boost/json/object.hpp>

namespace mizan::service {

inline constexpr uint64_t kSmallBodyBytes = 64 << 10;  ///< of most calls
inline constexpr size_t kRuleSetBytes = 8 << 20;       ///< of an uploaded rule set

/// One request on its way through its route.
struct Call {
  net::Request request;
  std::vector<std::string> path{};  ///< what stands for each {} of the route's pattern
  net::Headers query{};             ///< decoded
  std::shared_ptr<net::BodySink> sink{};
  net::Respond respond;

  void refuse(const Error& error) const { respond(net::error_response(error)); }
};

/// Finds the route of a request, checks who asks, and answers. Safe from every thread.
class Routes {
 public:
  Routes(Context& context, AgentHub& agents, LeaseStreams& streams, OfferWatch& watch)
      : context_(context), agents_(agents), streams_(streams), watch_(watch) {}

  /// How much body a request may have, and where it goes. May take a while: off the I/O thread.
  Result<net::BodyPlan> plan(const net::Request& head);
  void handle(net::Request request, std::shared_ptr<net::BodySink> sink, net::Respond respond);
  Result<std::shared_ptr<net::SocketHandler>> upgrade(const net::Request& head);

 private:
  struct Route;
  static const std::vector<Route>& routes();
  /// The route of a request and its path's parts; not_found if there is none.
  static Result<std::pair<const Route*, std::vector<std::string>>> find(std::string_view method,
                                                                        std::string_view path);

  // Each answers by call.respond, at once or after its command was applied.
  void get_exchange(Call call);
  void get_openapi(Call call);
  void get_health(Call call);
  void get_metrics(Call call);
  void get_offers(Call call);
  void get_account(Call call);
  void get_leases(Call call);
  void get_lease(Call call);
  void get_logs(Call call);
  void get_receipt(Call call);
  void get_metering(Call call);
  void post_plan(Call call);
  void post_grant(Call call);
  void post_ask(Call call);
  void post_ask_cancel(Call call);
  void post_bid(Call call);
  void post_bid_cancel(Call call);
  void post_request_close(Call call);
  void post_voucher(Call call);
  void get_policy(Call call);
  void get_rule_set(Call call);
  void put_rule_set(Call call);
  void post_policy(Call call);
  void get_queue(Call call);
  void get_review(Call call);
  void get_verdict(Call call);
  void post_decision(Call call);
  void post_listing(Call call);
  void post_licence(Call call);
  void post_challenge(Call call);
  void post_credential(Call call);
  void put_artifact(Call call);
  void get_artifact(Call call);

  /// Who signed the request (of `body`), or why nobody did.
  Result<Address> caller(const net::Request& request, std::string_view body = {});
  /// forbidden unless `who` is a party of the lease or the operator.
  Result<void> may_see(const exchange::Lease& lease, const Address& who) const;
  /// f(lease) under the lock, for the lease that the path names and a caller who may see it.
  Result<json::value> with_lease(
      const Call& call, const std::function<Result<json::value>(const exchange::Lease&)>& f,
      bool relays = false);
  Result<net::BodyPlan> plan_artifact(const net::Request& head, const std::string& name);
  /// policy_blocked for a frozen party: its job's outputs and log wait until it is not listed any
  /// more. It may still send (`sends`) what it owes to a buyer who is not.
  Result<void> relays_for(const Address& who, bool sends) const;
  bool may_read_artifact(const Hash32& name, const Address& who) const;

  /// The leases that `f` picks, as it shows each: for officers.
  void answer_officer(
      const Call& call,
      const std::function<std::vector<const exchange::Lease*>(const exchange::Exchange&)>& pick,
      const std::function<json::object(const exchange::Lease&)>& show);
  /// forbidden unless `who` may decide, list and file: before anything reaches the journal.
  Result<void> check_officer(const Address& who) const;

  /// Makes the answer's own fields; called on the sequencer's thread, which may read `exchange`.
  /// The outcome is one that succeeded.
  using Render = std::function<json::object(const exchange::Outcome&, const exchange::Exchange&)>;
  /// For commands whose answer is that they were taken.
  static json::object nothing_more(const exchange::Outcome&, const exchange::Exchange&) {
    return {};
  }
  /// Verifies and submits; `account` is whose idempotency key it is.
  void submit(Call call, exchange::Command command, const Address& account, Render render);

  Context& context_;
  AgentHub& agents_;
  LeaseStreams& streams_;
  OfferWatch& watch_;
};

/// protocol/openapi.json.
std::string_view openapi_text();

}  // namespace mizan::service
