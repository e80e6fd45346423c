#include "policy/answer.hpp"

#include "policy/case_json.hpp"
#include "policy/explain.hpp"

#include <algorithm>

namespace mizan::policy {
namespace {

constexpr size_t kMostBytes = size_t{256} << 20;

// "{}" in the phrase, replaced.
std::string filled(std::string_view phrase, std::string_view value) {
  const size_t place = phrase.find("{}");
  if (place == std::string_view::npos) return std::string(phrase);
  return std::string(phrase.substr(0, place)) + std::string(value) +
         std::string(phrase.substr(place + 2));
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string array_of(const std::set<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out += (out.size() > 1 ? "," : "") + text;
  return out + "]";
}

std::string quoted_array(const auto& words) {
  std::string out = "[";
  for (const std::string& word : words) out += (out.size() > 1 ? "," : "") + quoted(word);
  return out + "]";
}

bool is_hidden(std::string_view fact, const std::vector<std::string>& hidden) {
  return std::any_of(hidden.begin(), hidden.end(), [fact](const std::string& name) {
    return fact == name || (fact.starts_with(name) && fact[name.size()] == '.');
  });
}

// One value as it is, several or none as an array.
std::string facts_json(const Grounds& grounds, const std::vector<std::string>& hidden) {
  std::string out = "{";
  for (const auto& [name, values] : grounds.facts) {
    if (is_hidden(name, hidden)) continue;
    if (out.size() > 1) out += ",";
    out += quoted(name) + ":" + (values.size() == 1 ? *values.begin() : array_of(values));
  }
  return out + "}";
}

void add_licence(const RuleSet& rules, const Case& subject, const Finding& finding,
                 Language language, Grounds& grounds, std::string& sentence) {
  if (finding.licence) {
    const std::string& number = subject.licences.value[*finding.licence].number.value;
    grounds.facts["covered_by"].insert(quoted(number));
    sentence += " " + filled(rules.phrase("covered", language), number);
  } else if (!subject.licences.value.empty()) {
    sentence += " " + std::string(rules.phrase("not_covered", language));
  }
}

std::string finding_json(const Facts& facts, const Finding& finding, Language language,
                         const std::vector<std::string>& hidden) {
  const RuleSet& rules = facts.rules();
  const Rule& rule = rules.rules()[finding.rule];
  const View view = finding.strict ? View::strict : View::values;
  Grounds grounds = explain(facts, rule.when, view);
  const bool arabic = language == Language::ar && !rule.sentence_ar.empty();
  std::string sentence = arabic ? rule.sentence_ar : rule.sentence;
  if (finding.outcome != Outcome::insufficient) grounds.missing.clear();
  if (finding.outcome == Outcome::licence) {
    for (const ReviewBranch& branch : rule.reviews) {
      Grounds review = explain(facts, branch.when, View::strict);
      const Truth holds = facts.evaluate(branch.when, View::strict);
      if (holds == Truth::unknown) grounds.missing.merge(review.missing);
      if (holds == Truth::yes) break;
    }
    add_licence(rules, facts.subject(), finding, language, grounds, sentence);
  }
  if (finding.outcome == Outcome::insufficient)
    sentence += " " + filled(rules.phrase("missing", language), joined(grounds.missing));
  return "{\"head\":" + quoted(to_string(rule.head)) +
         ",\"jurisdiction\":" + quoted(rule.jurisdiction) + ",\"rule\":" + quoted(rule.id) +
         ",\"outcome\":" + quoted(to_string(finding.outcome)) +
         ",\"citation\":" + quoted(rule.citation) + ",\"facts\":" + facts_json(grounds, hidden) +
         ",\"missing\":" + quoted_array(grounds.missing) + ",\"sentence\":" + quoted(sentence) +
         ",\"unverified\":" + (rule.unverified || grounds.unverified ? "true" : "false") + "}";
}

// Without what a hidden role would tell.
std::vector<std::string> shown_not_assessed(const RuleSet& rules, const Case& subject,
                                            const std::vector<std::string>& hidden) {
  if (hidden.empty()) return not_assessed(rules, subject);
  Case shown = subject;
  std::erase_if(shown.parties.value,
                [&](const Party& party) { return is_hidden(to_string(party.role), hidden); });
  return not_assessed(rules, shown);
}

std::string empty_finding(const RuleSet& rules, Language language) {
  return "{\"head\":\"hardware_export\",\"jurisdiction\":\"\",\"rule\":\"rule_set.empty\","
         "\"outcome\":\"ALLOW\",\"citation\":\"\",\"facts\":{},\"missing\":[],\"sentence\":" +
         quoted(rules.phrase("empty", language)) + ",\"unverified\":false}";
}

std::string pd_text(uint64_t hundredths) {
  std::string decimals = std::to_string(hundredths % 100);
  decimals.insert(0, 2 - decimals.size(), '0');
  return std::to_string(hundredths / 100) + "." + decimals;
}

std::string share_json(const Share& share) {
  const uint64_t percent =
      share.values == 0 ? 0 : (share.unverified * 200 + share.values) / (share.values * 2);
  std::string decimals = std::to_string(percent % 100);
  decimals.insert(0, 2 - decimals.size(), '0');
  return "{\"values\":" + std::to_string(share.values) +
         ",\"unverified\":" + std::to_string(share.unverified) + ",\"share\":\"" +
         std::to_string(percent / 100) + "." + decimals + "\"}";
}

}  // namespace

std::string answer_json(const RuleSet& rules, const Case& subject, const Verdict& verdict,
                        Language language, const std::vector<std::string>& hidden) {
  const Facts facts(rules, subject);
  std::string findings;
  for (const Finding& finding : verdict.findings)
    findings += (findings.empty() ? "" : ",") + finding_json(facts, finding, language, hidden);
  if (rules.is_empty()) findings = empty_finding(rules, language);
  const std::string review =
      verdict.review == Review::none ? "null" : quoted(to_string(verdict.review));
  return "{\"id\":" + (subject.id.empty() ? "null" : quoted(subject.id)) +
         ",\"verdict\":" + quoted(to_string(verdict.outcome)) +
         ",\"class\":" + quoted(class_name(rules, verdict.classes)) +
         ",\"tpp\":" + (verdict.tpp ? std::to_string(*verdict.tpp) : "null") +
         ",\"pd\":" + (verdict.pd_hundredths ? pd_text(*verdict.pd_hundredths) : "null") +
         ",\"licence_review\":" + review + ",\"findings\":[" + findings +
         "],\"not_assessed\":" + quoted_array(shown_not_assessed(rules, subject, hidden)) +
         ",\"ruleset\":" + quoted(rules.hash_text()) + "}";
}

Result<std::string> check_text(const RuleSet& rules, std::string_view text, const Options& options,
                               Language language) {
  JsonLimits limits;
  limits.max_bytes = kMostBytes;
  MIZAN_TRY(value, parse_json(quote_decimals(text), limits, "the case file"));
  const auto answer = [&](const json::value& one, const std::string& path) -> Result<std::string> {
    MIZAN_TRY(subject, read_case(rules, one, path));
    return answer_json(rules, subject, judge(rules, subject, options), language);
  };
  if (!value.is_array()) return answer(value, "");
  std::string out = "[";
  const json::array& cases = value.get_array();
  for (size_t i = 0; i < cases.size(); ++i) {
    MIZAN_TRY(one, answer(cases[i], "cases[" + std::to_string(i) + "]"));
    out += (i == 0 ? "" : ",\n") + one;
  }
  return out + "]";
}

std::string status_json(const RuleSet& rules) {
  Share all;
  std::string kinds;
  for (const auto& [kind, share] : rules.unverified()) {
    all.values += share.values;
    all.unverified += share.unverified;
    kinds += "," + quoted(kind) + ":" + share_json(share);
  }
  return "{\"ruleset\":" + quoted(rules.hash_text()) +
         ",\"rules\":" + std::to_string(rules.rules().size()) +
         ",\"chips\":" + std::to_string(rules.chips().size()) +
         ",\"classes\":" + std::to_string(rules.classes().size()) +
         ",\"unverified\":{\"all\":" + share_json(all) + kinds + "}}";
}

}  // namespace mizan::policy
