#include "exchange/explain.hpp"

#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"
#include "policy/words.hpp"

#include <algorithm>

namespace mizan::exchange {
namespace {

using policy::Fact;

json::value text(std::string_view value) {
  return json::value(json::string_view(value.data(), value.size()));
}

template <class T, class Spell>
json::value fact_json(const Fact<T>& fact, Spell spell) {
  if (fact.known == policy::Known::unknown) return nullptr;
  if (fact.known == policy::Known::not_applicable) return "n/a";
  return json::object{{"value", spell(fact.value)}, {"evidence", text(to_string(fact.evidence))}};
}

json::value country_json(const Fact<policy::Country>& fact) {
  return fact_json(fact, [](policy::Country value) { return text(to_string(value)); });
}

json::value words_json(const Fact<std::vector<std::string>>& fact) {
  return fact_json(fact, [](const std::vector<std::string>& words) { return to_json(words); });
}

json::value count_json(const Fact<uint64_t>& fact) {
  return fact_json(fact, [](uint64_t value) { return json::value(value); });
}

json::value flag_json(const Fact<bool>& fact) {
  return fact_json(fact, [](bool value) { return json::value(value); });
}

json::object party_json(const policy::Party& party) {
  const auto lists = fact_json(party.lists, [](const std::vector<policy::ListMatch>& matches) {
    json::array out;
    for (const policy::ListMatch& match : matches)
      out.push_back(
          json::object{{"id", text(match.id)}, {"effect", text(to_string(match.effect))}});
    return json::value(out);
  });
  const auto owners =
      fact_json(party.listed_owners, [](const std::vector<policy::ListedOwner>& all) {
        json::array out;
        for (const policy::ListedOwner& owner : all)
          out.push_back(json::object{
              {"share", fact_json(owner.share,
                                  [](policy::Decimal share) { return text(to_string(share)); })},
              {"list", text(owner.list)},
              {"effect", text(to_string(owner.effect))}});
        return json::value(out);
      });
  return {{"role", text(to_string(party.role))},
          {"id", text(party.id)},
          {"country", country_json(party.country)},
          {"hq", country_json(party.hq)},
          {"parent_hq", country_json(party.parent_hq)},
          {"lists", lists},
          {"listed_owners", owners}};
}

/// Each side sees itself. What is known of the payees is theirs, and the officers' business.
bool may_see(Viewer viewer, policy::Role role) {
  const bool buys = role == policy::Role::buyer || role == policy::Role::end_user;
  if (viewer == Viewer::officer) return true;
  return viewer == Viewer::buyer ? buys : role == policy::Role::provider;
}

json::object case_json(const CaseFile& file, Viewer viewer) {
  const policy::Case& subject = file.subject;
  const auto conditions =
      fact_json(subject.licence_conditions, [](const std::vector<policy::LicenceCondition>& all) {
        json::array out;
        for (const policy::LicenceCondition& one : all)
          out.push_back(text(one.kind + ":" + to_string(one.country)));
        return json::value(out);
      });
  json::object out{
      {"date", text(to_string(subject.date))},
      {"operation", text(to_string(subject.operation.value))},
      {"chip", fact_json(subject.item, [](const policy::Item& item) { return text(item.name); })},
      {"units", count_json(subject.units)},
      {"origin", country_json(subject.origin)},
      {"location", country_json(subject.location)},
      {"certifications", words_json(subject.certifications)},
      {"notices", words_json(subject.notices)},
      {"licence_conditions", conditions},
      {"datacenter_marketed", flag_json(subject.datacenter_marketed)}};
  json::array parties;
  for (const policy::Party& party : subject.parties.value)
    if (may_see(viewer, party.role)) parties.push_back(party_json(party));
  out["parties"] = std::move(parties);
  if (viewer == Viewer::provider) return out;
  out["group_units"] = count_json(subject.group_units);
  out["training_work"] = count_json(subject.training_work);
  out["end_use"] =
      fact_json(subject.end_use, [](policy::EndUse value) { return text(to_string(value)); });
  out["training"] = flag_json(subject.training);
  out["declared_country"] = country_json(file.declared_country);
  json::array licences;
  for (const policy::Licence& licence : subject.licences.value)
    licences.push_back(text(licence.number.value));
  out["licences"] = std::move(licences);
  return out;
}

/// The facts of findings that are another's business. Which payee a rule speaks of ("party") the
/// provider may know, that named it.
std::vector<std::string> hidden_from(Viewer viewer) {
  if (viewer == Viewer::officer) return {};
  std::vector<std::string> out{"operator", "hardware_owner", "host", "investor", "broker"};
  if (viewer == Viewer::buyer)
    out.insert(out.end(), {"provider", "party"});
  else
    out.insert(out.end(), {"buyer", "end_user", "units", "training_work", "end_use", "training",
                           "covered_by"});
  return out;
}

json::value decisions_json(const Lease& lease, Viewer viewer) {
  json::array out;
  for (const OfficerDecision& decision : lease.decisions) {
    json::object one{{"officer", to_json(decision.officer)},
                     {"approve", decision.approve},
                     {"atMs", decision.at.ms}};
    if (viewer == Viewer::officer) one["reason"] = text(decision.reason);
    out.push_back(std::move(one));
  }
  return out;
}

json::value verdict_json(const Verdict& verdict) {
  return json::object{{"verdict", text(verdict.outcome)},
                      {"hash", to_json(verdict.hash)},
                      {"ruleset", "sha256:" + hex(verdict.rule_set.view())},
                      {"note", text(verdict.note)}};
}

Result<std::shared_ptr<const policy::RuleSet>> find_rules(const Hash32& hash,
                                                          const RuleSets& known) {
  const auto found = known.find(hash);
  if (found != known.end()) return found->second;
  const std::string name = "sha256:" + hex(hash.view());
  return fail(Error{
      ErrorCode::not_found,
      "the rule set " + name + " is not here: put it back among the rule sets",
      {}}.with("ruleSet", name));
}

}  // namespace

Result<std::string> explain(const Lease& lease, const RuleSets& known, Viewer viewer,
                            policy::Language language) {
  MIZAN_TRY(rules, find_rules(lease.verdict.rule_set, known));
  MIZAN_TRY(file, read_case_file(lease.case_file));
  const Judgement judgement = judge(*rules, file);
  json::object stricter;
  for (const auto& [from, to] : file.stricter) stricter[to_string(from)] = text(to_string(to));
  json::array flags;
  for (const Flag flag : file.flags)
    flags.push_back(json::object{{"rule", text(rule_name(flag))},
                                 {"outcome", "RED_FLAG"},
                                 {"sentence", text(sentence(flag, language))}});
  const json::object head{{"lease", to_json(lease.id)},
                          {"state", text(to_string(lease.state))},
                          {"verdict", text(lease.verdict.outcome)},
                          {"hash", to_json(lease.verdict.hash)},
                          {"ruleset", "sha256:" + hex(lease.verdict.rule_set.view())},
                          {"note", text(lease.verdict.note)},
                          {"pending", file.pending},
                          {"stricter", std::move(stricter)},
                          {"flags", std::move(flags)},
                          {"decisions", decisions_json(lease, viewer)},
                          {"case", case_json(file, viewer)},
                          {"review", lease.review ? verdict_json(*lease.review) : nullptr}};
  file.subject.id = hex0x(lease.id.view());
  // The answer has exact decimals, which a JSON value would not keep: it is put in as text.
  std::string out = json_text(head);
  out.pop_back();
  return out + ",\"answer\":" + answer_of(*rules, file, judgement, language, hidden_from(viewer)) +
         "}";
}

Result<Replayed> replay(const Lease& lease, const RuleSets& known) {
  MIZAN_TRY(rules, find_rules(lease.verdict.rule_set, known));
  MIZAN_TRY(file, read_case_file(lease.case_file));
  const Judgement judgement = judge(*rules, file);
  Replayed out;
  out.bytes = hashed_bytes(rules->hash(), lease.case_file, judgement);
  out.hash = keccak256(out.bytes);
  out.outcome = to_string(judgement.outcome);
  out.same = out.hash == lease.verdict.hash && out.outcome == lease.verdict.outcome;
  return out;
}

}  // namespace mizan::exchange
