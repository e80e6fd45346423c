// The calls of policy: rules, officers, and why a deal was allowed.
#include "codec/json_fields.hpp"
#include "credential/jose.hpp"
#include "exchange/explain.hpp"
#include "policy/words.hpp"
#include "service/routes.hpp"
#include "service/wire.hpp"

namespace mizan::service {

using exchange::Exchange;
using exchange::Lease;
using exchange::Outcome;

namespace {

constexpr size_t kMostRuleFiles = 100;
constexpr size_t kMostFileName = 200;

json::object policy_json(const Exchange& core) {
  const exchange::PolicyInForce& policy = core.policy();
  const exchange::PolicyOptions& options = core.policy_options();
  json::array issuers;
  for (const auto& [uri, key] : options.issuers) issuers.push_back(to_json(uri));
  json::array officers;
  if (core.config()) officers.push_back(to_json(core.config()->operator_));
  for (const Address& officer : options.officers)
    if (!core.config() || officer != core.config()->operator_) officers.push_back(to_json(officer));
  json::object stricter;
  for (const auto& [from, to] : options.stricter) stricter[to_string(from)] = to_string(to);
  json::value text(json::object{});
  if (!policy.options.empty())
    if (auto parsed = parse_json(policy.options, {}, "the options")) text = *std::move(parsed);
  return {{"ruleSet", to_json(core.rules().hash())},
          {"empty", core.rules().is_empty()},
          {"rules", core.rules().rules().size()},
          {"pending", policy.pending},
          {"issuers", std::move(issuers)},
          {"officers", std::move(officers)},
          {"signersNeeded", options.signers_needed},
          {"stricter", std::move(stricter)},
          {"developmentIssuers", options.development_issuers},
          {"options", std::move(text)}};
}

/// `body` is {"officer", what: Message, "signature"}, and nothing else, as the command that it is;
/// what `check` says of its officer, if that is an error.
template <class Command, class Message, class Check>
Result<Command> read_ordered(const std::string& body, const char* what, Check check) {
  MIZAN_TRY(value, parse_json(body, {}, "the body"));
  Address officer;
  Message message;
  Signature signature;
  ObjectReader in(value, "");
  in.required("officer", officer);
  in.required(what, message);
  in.required("signature", signature);
  MIZAN_CHECK(in.finish());
  MIZAN_CHECK(check(officer));
  return Command{officer, std::move(message), signature};
}

struct Change {
  eip712::PolicyChange change;
  std::string options;
  Signature signature;
};
Result<Change> read_change(const std::string& body) {
  MIZAN_TRY(value, parse_json(body, {}, "the body"));
  Change out;
  json::value options;
  ObjectReader in(value, "");
  in.required("change", out.change);
  in.required("options", options);
  in.required("signature", out.signature);
  MIZAN_CHECK(in.finish());
  MIZAN_TRY(canonical, canonical_json(options));
  out.options = std::move(canonical);
  return out;
}

/// What the core does not know of: whether a key can be used, and what this process accepts.
Result<void> check_options(const std::string& text, bool development) {
  MIZAN_TRY(options, exchange::read_policy_options(text));
  if (options.development_issuers && !development)
    return bad_field("options.developmentIssuers",
                     "only an exchange that was started with --development-issuer takes it",
                     ErrorCode::forbidden);
  for (const auto& [uri, jwk] : options.issuers) {
    const std::string path = "options.issuers." + uri;
    MIZAN_TRY(value, parse_json(jwk, {}, path));
    const auto key = credential::parse_jwk(value, path);
    if (!key || !std::holds_alternative<credential::P256Key>(*key))
      return bad_field(path, "is not a public key of P-256 (ES256) as a JWK");
  }
  return {};
}

Result<std::shared_ptr<const policy::RuleSet>> read_rule_set(const std::string& body) {
  MIZAN_TRY(value, parse_json(body, {kRuleSetBytes, 4, false}, "the body"));
  std::map<std::string, std::string> files;
  ObjectReader in(value, "");
  in.required("files", files);
  MIZAN_CHECK(in.finish());
  if (files.empty() || files.size() > kMostRuleFiles)
    return bad_field("files", "has 1 to 100 rule files");
  for (const auto& [name, text] : files)
    if (name.size() > kMostFileName) return bad_field("files", "a name has at most 200 bytes");
  MIZAN_TRY(rules, policy::RuleSet::load(files));
  return std::make_shared<const policy::RuleSet>(std::move(rules));
}

json::array decisions_json(const Lease& lease) {
  json::array out;
  for (const exchange::OfficerDecision& decision : lease.decisions)
    out.push_back(json::object{{"officer", to_json(decision.officer)},
                               {"approve", decision.approve},
                               {"reason", to_json(decision.reason)},
                               {"atMs", decision.at.ms}});
  return out;
}

}  // namespace

Result<void> Routes::check_officer(const Address& who) const {
  if (context_.state.read([&](const Exchange& core) { return core.is_officer(who); })) return {};
  return fail(ErrorCode::forbidden, "only the operator and its officers may do this");
}

void Routes::get_policy(Call call) {
  call.respond(json_response(context_.state.read(policy_json)));
}

void Routes::get_rule_set(Call call) {
  const auto hash = parse_rule_set_name(call.path[0]);
  const auto rules =
      context_.state.read([&](const Exchange& core) -> std::shared_ptr<const policy::RuleSet> {
        const auto found = hash ? core.known_rules().find(*hash) : core.known_rules().end();
        return found == core.known_rules().end() ? nullptr : found->second;
      });
  if (!rules) return call.refuse({ErrorCode::not_found, "there is no rule set of this hash", {}});
  net::Response response;
  response.body = rules->canonical();
  call.respond(std::move(response));
}

void Routes::put_rule_set(Call call) {
  auto done = [&]() -> Result<net::Response> {
    MIZAN_TRY(who, caller(call.request, call.request.body));
    if (who != context_.config.operator_)
      return fail(ErrorCode::forbidden, "only the operator may bring rule sets");
    MIZAN_TRY(rules, read_rule_set(call.request.body));
    bool is_new = false;
    if (!rules->is_empty()) {
      MIZAN_TRY(kept, context_.rules->keep(rules));
      is_new = kept;
      // Alone with the exchange, so between two commands, as its own thread would do it.
      context_.state.write([&](Exchange& core) { core.know_rules(rules); });
    }
    net::Response response = json_response(json::object{{"ruleSet", to_json(rules->hash())},
                                                        {"rules", rules->rules().size()},
                                                        {"chips", rules->chips().size()},
                                                        {"classes", rules->classes().size()}});
    response.status = is_new ? 201 : 200;
    return response;
  }();
  if (done)
    call.respond(*std::move(done));
  else
    call.refuse(done.error());
}

void Routes::post_policy(Call call) {
  auto body = read_change(call.request.body);
  if (!body) return call.refuse(body.error());
  const bool development = !context_.config.development_issuers.empty();
  if (const auto checked = check_options(body->options, development); !checked)
    return call.refuse(checked.error());
  submit(std::move(call),
         exchange::SetPolicy{body->change, std::move(body->options), body->signature},
         context_.config.operator_, [](const Outcome&, const Exchange& core) {
           return json::object{{"policy", policy_json(core)}};
         });
}

void Routes::answer_officer(const Call& call,
                            const std::function<std::vector<const Lease*>(const Exchange&)>& pick,
                            const std::function<json::object(const Lease&)>& show) {
  const auto who = caller(call.request);
  if (!who) return call.refuse(who.error());
  if (const auto officer = check_officer(*who); !officer) return call.refuse(officer.error());
  json::array rows;
  context_.state.read([&](const Exchange& core) {
    for (const Lease* lease : pick(core)) {
      json::object row = show(*lease);
      row["lease"] = lease_json(*lease, context_);
      rows.push_back(std::move(row));
    }
  });
  call.respond(json_response(json::object{{"leases", std::move(rows)}}));
}

void Routes::get_queue(Call call) {
  answer_officer(
      call, [](const Exchange& core) { return core.held(); },
      [](const Lease& lease) {
        return json::object{{"heldUntilMs", Exchange::held_until(lease).ms},
                            {"decisions", decisions_json(lease)}};
      });
}

void Routes::get_review(Call call) {
  answer_officer(
      call, [](const Exchange& core) { return core.review(); },
      [](const Lease& lease) {
        return json::object{{"review", verdict_json(lease.review.value_or(lease.verdict))}};
      });
}

void Routes::get_verdict(Call call) {
  const std::string_view lang = net::header_or_empty(call.query, "lang");
  if (!lang.empty() && lang != "en" && lang != "ar")
    return call.refuse(
        Error{ErrorCode::invalid_argument, "lang: is en or ar", {}}.with("field", "lang"));
  const auto text = [&]() -> Result<std::string> {
    MIZAN_TRY(who, caller(call.request));
    const auto id = parse_fixed<LeaseId>(call.path[0]);
    return context_.state.read([&](const Exchange& core) -> Result<std::string> {
      const Lease* lease = id ? core.find_lease(*id) : nullptr;
      if (lease == nullptr) return fail(ErrorCode::not_found, "there is no lease " + call.path[0]);
      exchange::Viewer viewer = exchange::Viewer::officer;
      if (!core.is_officer(who)) {
        MIZAN_CHECK(may_see(*lease, who));
        viewer = who == lease->terms.buyer ? exchange::Viewer::buyer : exchange::Viewer::provider;
      }
      return exchange::explain(*lease, core.known_rules(), viewer,
                               lang == "ar" ? policy::Language::ar : policy::Language::en);
    });
  }();
  if (!text) return call.refuse(text.error());
  net::Response response;
  response.body = *text;
  call.respond(std::move(response));
}

void Routes::post_decision(Call call) {
  auto command = read_ordered<exchange::Decide, eip712::Decision>(
      call.request.body, "decision", [this](const Address& who) { return check_officer(who); });
  if (!command) return call.refuse(command.error());
  submit(std::move(call), *command, command->officer,
         [this](const Outcome& outcome, const Exchange& core) {
           json::object out;
           for (const LeaseId& id : outcome.answer->leases)
             if (const Lease* lease = core.find_lease(id))
               out["lease"] = lease_json(*lease, context_);
           return out;
         });
}

void Routes::post_listing(Call call) {
  auto command = read_ordered<exchange::ListParty, eip712::Listing>(
      call.request.body, "listing", [this](const Address& who) { return check_officer(who); });
  if (!command) return call.refuse(command.error());
  submit(std::move(call), *command, command->officer, nothing_more);
}

void Routes::post_licence(Call call) {
  auto command = read_ordered<exchange::FileLicence, eip712::LicenceOnFile>(
      call.request.body, "licence", [this](const Address& who) { return check_officer(who); });
  if (!command) return call.refuse(command.error());
  submit(std::move(call), *command, command->officer, nothing_more);
}

}  // namespace mizan::service
