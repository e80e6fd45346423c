// An exchange with the repository's rules, and parties with proven facts.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/rules_folder.hpp"
#include "support/core_world.hpp"

namespace mizan::test {

inline const std::map<std::string, std::string>& shipped_files() {
  static const auto kFiles = read_folder(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  return kFiles;
}

using Rules = std::shared_ptr<const policy::RuleSet>;

/// The shipped rules, and one more file of an operator if it is given.
inline Rules make_rules(const std::string& operators = "") {
  auto files = shipped_files();
  if (!operators.empty()) files["operator.json"] = operators;
  auto rules = policy::RuleSet::load(files);
  if (!rules) give_up(rules.error().message);
  return std::make_shared<const policy::RuleSet>(*std::move(rules));
}
inline const Rules& shipped_rules() {
  static const Rules kRules = make_rules();
  return kRules;
}

/// The text of a rule file with one rule under the head end_use.
inline std::string one_rule(const std::string& id, const std::string& when,
                            const std::string& outcome = "RED_FLAG") {
  return R"({"format":"mizan.policy.1","rules":[{"rule":")" + id +
         R"(","head":"end_use","jurisdiction":"US","from":null,"until":null,"in_text":true,)"
         R"("enforced":true,"min_evidence":"self_declared","unverified":false,)"
         R"("citation":"the operator's terms","sentence":"A limit of the operator.","when":)" +
         when + R"(,"outcome":")" + outcome + "\"}]}";
}

/// What a party's credential says. "" is unknown, "n/a" does not apply.
struct Who {
  std::string country = "SG";
  std::string hq = "SG";
  std::string parent = "n/a";
  uint8_t person = 0;  ///< 0: the credential names none
  uint8_t group = 0;
  std::vector<policy::ListMatch> lists{};
  std::vector<policy::ListedOwner> owners{};
  bool lists_known = true;
};

inline policy::Fact<policy::Country> place(const std::string& letters) {
  using Fact = policy::Fact<policy::Country>;
  if (letters.empty()) return {};
  if (letters == "n/a") return Fact::not_applicable();
  return Fact::of(*policy::country(letters));
}

inline Hash32 pairwise(char kind, uint8_t n) {
  return n == 0 ? Hash32{} : keccak256(std::string(1, kind) + std::to_string(n));
}

inline const std::string kIssuer = "https://issuer.example";
inline const std::string kOptions = R"({"issuers":{"https://issuer.example":{"kty":"EC"}}})";
inline const std::string kCommercial =
    R"({"end_use":"commercial","end_user":"self","training":false})";

enum class Fate { passed, held, blocked, unmatched };

class PolicyWorld : public CoreWorld {
 public:
  explicit PolicyWorld(Rules rules = shipped_rules(), std::string options = kOptions,
                       exchange::Limits limits = {}, std::vector<Rules> more = {})
      : CoreWorld(100, limits, all_of(rules, more), genesis(rules, std::move(options))),
        in_force(std::move(rules)) {}

  exchange::PartyFacts facts(const Who& who) const {
    exchange::PartyFacts out;
    out.issuer = kIssuer;
    out.person = pairwise('p', who.person);
    out.group = pairwise('g', who.group);
    out.country = place(who.country);
    out.hq = place(who.hq);
    out.parent_hq = place(who.parent);
    if (who.lists_known) {
      out.lists = policy::Fact<std::vector<policy::ListMatch>>::of(who.lists);
      out.listed_owners = policy::Fact<std::vector<policy::ListedOwner>>::of(who.owners);
    }
    out.issued_at = seconds() - 10;
    out.expires_at = seconds() + 30ULL * 24 * 3600;
    out.disclosures = {{"country", keccak256("salt")}};
    return out;
  }
  void prove(uint8_t n, const Who& who = {}) { ok(exchange::ProveFacts{party(n), facts(who)}); }
  /// Money and facts.
  void join(uint8_t n, const Who& who = {}) {
    grant(party(n), 1'000'000'000);
    prove(n, who);
  }

  /// An ask as an honest provider makes it; `more` are further attributes, with a comma in front.
  exchange::PlaceAsk offer(
      uint8_t provider, const std::string& chip = "H100 SXM", uint32_t units = 8,
      uint64_t device_gb = 80, const std::string& country = "SG",
      const std::string& more = R"(,"licence_conditions":{"source":"self_reported","value":[]})") {
    exchange::PlaceAsk out = ask(provider, 10, 1, units);
    out.ask.chip = chip;
    out.attributes = R"({"cores":{"source":"measured","value":64})";
    if (device_gb != 0)
      out.attributes +=
          R"(,"device_memory_gb":{"source":"measured","value":)" + std::to_string(device_gb) + "}";
    if (!country.empty())
      out.attributes += R"(,"country":{"source":"self_reported","value":")" + country + "\"}";
    out.attributes += more + "}";
    return out;
  }
  static std::string declared(const std::string& declaration, bool immediate = false,
                              const std::string& query = "") {
    return (declaration.empty() ? "{" : R"({"declaration":)" + declaration + ",") +
           R"("immediate_or_cancel":)" + (immediate ? "true" : "false") + R"(,"job":{},"query":")" +
           query + R"(","split":false})";
  }
  exchange::PlaceBid want(uint8_t buyer, uint32_t units = 1,
                          const std::string& declaration = kCommercial, bool immediate = false) {
    exchange::PlaceBid out = bid(buyer, 20, 1, units);
    out.bid.latest_start = out.bid.valid_until = seconds() + 7ULL * 24 * 3600;
    out.spec = declared(declaration, immediate);
    return out;
  }
  /// Places the bid; a lease that passed or is held is in `last`.
  Fate fate(const exchange::PlaceBid& bid) {
    const size_t before = events.size();
    const exchange::Outcome outcome = apply(bid);
    if (outcome.answer && !outcome.answer->leases.empty()) {
      last = outcome.answer->leases.front();
      return lease(last).state == exchange::LeaseState::held ? Fate::held : Fate::passed;
    }
    for (size_t i = before; i < events.size(); ++i)
      if (const auto* spoke = std::get_if<exchange::PolicySpoke>(&events[i])) {
        rule = spoke->rule;
        return spoke->held ? Fate::held : Fate::blocked;
      }
    return Fate::unmatched;
  }
  std::string note() const { return lease(last).verdict.note; }

  exchange::Decide decision(const LeaseId& id, bool approve, uint8_t officer = 251) {
    const exchange::Lease* shown = core.find_lease(id);
    const Hash32 verdict = shown == nullptr ? Hash32{} : shown->verdict.hash;
    return {party(officer), {id, verdict, approve, "looked at", next_nonce++, seconds() + 60}, {}};
  }
  exchange::ListParty listing(const std::string& effect, bool listed = true) {
    exchange::ListParty out;
    out.officer = party(251);
    out.listing.list = "EL";
    out.listing.effect = effect;
    out.listing.listed = listed;
    out.listing.nonce = next_nonce++;
    out.listing.deadline = seconds() + 60;
    return out;
  }
  exchange::SetPolicy change(const Rules& rules, const std::string& options = kOptions,
                             bool pending = false) {
    return {
        {rules->hash(), pending, keccak256(options), next_nonce++, seconds() + 60}, options, {}};
  }
  void check_replay() const { EXPECT_EQ(replayed().state_hash(), core.state_hash()); }

  Rules in_force;
  LeaseId last;
  std::string rule;  ///< that kept the last bid from its match

 private:
  static exchange::RuleSets all_of(const Rules& rules, const std::vector<Rules>& more) {
    exchange::RuleSets out{{rules->hash(), rules}};
    for (const Rules& one : more) out.emplace(one->hash(), one);
    return out;
  }
  static exchange::Genesis genesis(const Rules& rules, std::string options) {
    exchange::Genesis out;
    out.rule_set = rules->hash();
    out.policy = std::move(options);
    return out;
  }
};

}  // namespace mizan::test
