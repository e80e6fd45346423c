// An exchange's service with rules, an issuer and officers: for tests of policy through the API.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "credential/sd_jwt.hpp"
#include "credential/status_list.hpp"
#include "policy/rules_folder.hpp"
#include "service/program.hpp"
#include "service/world.hpp"

namespace mizan::service {

inline std::shared_ptr<const policy::RuleSet> shipped_rules() {
  static const auto kRules = std::make_shared<const policy::RuleSet>(
      test::load_rules(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy"));
  return kRules;
}

/// The shipped files and one more rule, as `PUT /v1/policy/rulesets` takes them.
inline std::map<std::string, std::string> files_with(const std::string& when,
                                                     const std::string& outcome) {
  auto files = test::read_folder(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  files["own.json"] =
      R"({"format":"mizan.policy.1","rules":[{"rule":"own.limit","head":"end_use","jurisdiction":)"
      R"("US","from":null,"until":null,"in_text":true,"enforced":true,"min_evidence":)"
      R"("self_declared","unverified":false,"citation":"the operator's terms","sentence":)"
      R"("A limit of the operator.","when":)" +
      when + R"(,"outcome":")" + outcome + "\"}]}";
  return files;
}

class PolicyWorld : public World {
 public:
  PolicyWorld() : PolicyWorld(credential::IssuerKey::generate()) {}

  static json::object claims(const std::string& country = "SG") {
    return {{"country", country},
            {"hq", country},
            {"parent_hq", "n/a"},
            {"lists", json::array{}},
            {"listed_owners", json::array{}},
            {"person_id", "0x" + std::string(64, '1')},
            {"record_locator", "R-77"},
            {"retention_days", 1825}};
  }
  static std::vector<std::string> names(const json::object& all) {
    std::vector<std::string> out;
    for (const auto& claim : all) out.emplace_back(claim.key());
    return out;
  }
  credential::Issuance issuance(const SecretKey& holder, json::object what) const {
    credential::Issuance out;
    out.issuer = kDevelopmentIssuer;
    out.holder = public_key(holder);
    out.issued_at = clock.now().seconds() - 10;
    out.expires_at = out.issued_at + 30ULL * 24 * 3600;
    out.selective = std::move(what);
    return out;
  }
  credential::Binding binding() {
    const Answered challenge = post("/v1/credentials/challenge", json::object{});
    EXPECT_EQ(challenge.status, 200U) << challenge.raw;
    return {std::string(challenge.body.at("audience").as_string()),
            std::string(challenge.body.at("nonce").as_string()), clock.now().seconds()};
  }
  Answered hand_in(const std::string& presentation, const SecretKey& key,
                   const json::object& lists = {}) {
    json::object body{{"presentation", presentation}};
    if (!lists.empty()) body["statusLists"] = lists;
    return send(request("POST", "/v1/credentials", json_text(body), &key));
  }
  std::string presentation(const credential::Issuance& what, const SecretKey& holder,
                           const std::vector<std::string>& show) {
    return credential::present(credential::issue(what, issuer), show, holder, binding()).value();
  }
  Answered prove(const SecretKey& key, const json::object& what = claims()) {
    return hand_in(presentation(issuance(key, what), key, names(what)), key);
  }

  template <class Message>
  Answered order(const std::string& target, const char* what, const Message& message,
                 const SecretKey& by, const SecretKey* signer = nullptr) {
    return post(target, json::object{{"officer", to_json(by.address())},
                                     {what, to_json(message)},
                                     {"signature", signature(message, signer ? *signer : by)}});
  }
  eip712::Decision decision(const LeaseId& lease, bool approve) {
    const Hash32 verdict = service->state().read([&lease](const exchange::Exchange& core) {
      const exchange::Lease* shown = core.find_lease(lease);
      return shown == nullptr ? Hash32{} : shown->verdict.hash;
    });
    return {lease, verdict, approve, "looked into", next_nonce++, clock.now().seconds() + 60};
  }
  Answered decide(const LeaseId& lease, bool approve, const SecretKey& by) {
    return order("/v1/policy/decisions", "decision", decision(lease, approve), by);
  }
  json::object change(const Hash32& rule_set, const json::object& options) {
    const eip712::PolicyChange made{rule_set, false, canonical_json_hash(options).value(),
                                    next_nonce++, clock.now().seconds() + 60};
    return {{"change", to_json(made)},
            {"options", options},
            {"signature", signature(made, operator_key)}};
  }
  json::object options() const {
    return {{"issuers", {{kDevelopmentIssuer, credential::to_jwk(issuer.public_key())}}},
            {"officers", json::array{to_json(officer.address())}},
            {"developmentIssuers", true}};
  }
  Answered put_rules(const std::map<std::string, std::string>& files, const SecretKey* key) {
    json::object list;
    for (const auto& [name, text] : files) list[name] = text;
    return send(
        request("PUT", "/v1/policy/rulesets", json_text(json::object{{"files", list}}), key));
  }

  static json::object wanted(bool immediate = false) {
    return {
        {"job", {{"name", "t"}, {"run", "true"}}},
        {"query", ""},
        {"split", false},
        {"immediate_or_cancel", immediate},
        {"declaration", {{"end_use", "commercial"}, {"end_user", "self"}, {"training", false}}}};
  }
  Answered order_job(uint64_t nonce, bool immediate = false) {
    const json::object spec = wanted(immediate);
    return post("/v1/bids", bid_body(bid(nonce, spec), spec));
  }
  /// The lease of the only match, accepted.
  LeaseId run_job(const Open& agent, uint64_t nonce) {
    EXPECT_EQ(order_job(nonce).body.at("status"), "matched");
    const json::value match = agent.socket->take("match");
    const auto terms = from_json<eip712::Terms>(match.at("terms"), "terms").value();
    say(agent,
        {{"type", "accept"}, {"terms", to_json(terms)}, {"signature", signature(terms, provider)}});
    return eip712::digest(domain, terms);
  }
  std::string lease_path(const LeaseId& id) const { return "/v1/leases/" + hex0x(id.view()); }
  uint64_t last_sequence() {
    return service->state().read([](const exchange::Exchange& c) { return c.last_sequence(); });
  }

  const credential::IssuerKey issuer;
  const SecretKey officer = SecretKey::generate();
  uint64_t next_nonce = 1;

 private:
  explicit PolicyWorld(credential::IssuerKey key)
      : World([jwk = canonical_json(credential::to_jwk(key.public_key())).value()](
                  ServiceConfig& config) {
          config.rules = shipped_rules();
          config.development_issuers = {{std::string(kDevelopmentIssuer), jwk}};
        }),
        issuer(std::move(key)) {
    attributes =
        R"({"cores":{"source":"measured","value":4},"country":{"source":"self_reported","value":)"
        R"("SG"},"licence_conditions":{"source":"self_reported","value":[]},)"
        R"("memory_gb":{"source":"measured","value":8}})";
  }
};

}  // namespace mizan::service
