#include "policy/answer.hpp"
#include "policy/rule_set.hpp"
#include "policy/rules_folder.hpp"

#include <gtest/gtest.h>

namespace mizan::policy {
namespace {

const std::map<std::string, std::string>& files() {
  static const auto all = test::read_folder(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  return all;
}

// The shipped files with one text of one of them replaced.
std::map<std::string, std::string> changed(const std::string& file, const std::string& from,
                                           const std::string& to) {
  auto all = files();
  std::string& text = all.at(file);
  const size_t place = text.find(from);
  EXPECT_NE(place, std::string::npos) << from;
  if (place != std::string::npos) text.replace(place, from.size(), to);
  return all;
}

// A rule of an operator, with some of its members replaced.
std::map<std::string, std::string> with_rule(const std::string& rule) {
  auto all = files();
  all["operator.json"] = R"({"format": "mizan.policy.1", "rules": [)" + rule + "]}";
  return all;
}

std::string rule(const std::string& replaced = "", const std::string& by = "") {
  std::string text = R"({"rule": "op.one", "head": "end_use", "jurisdiction": "US", "from": null,
    "until": null, "in_text": true, "enforced": true, "min_evidence": "credential",
    "unverified": false, "citation": "terms", "sentence": "No.",
    "when": {"fact": "units", "at_least": 10}, "outcome": "RED_FLAG"})";
  if (!replaced.empty()) {
    const size_t place = text.find(replaced);
    EXPECT_NE(place, std::string::npos) << replaced;
    text.replace(place, replaced.size(), by);
  }
  return text;
}

// That it does not load, and that the message says where and what.
void expect_not_loaded(const std::map<std::string, std::string>& all, const std::string& where,
                       const std::string& what) {
  SCOPED_TRACE(where + " / " + what);
  const auto set = RuleSet::load(all);
  ASSERT_FALSE(set.has_value());
  EXPECT_NE(set.error().message.find(where), std::string::npos) << set.error().message;
  EXPECT_NE(set.error().message.find(what), std::string::npos) << set.error().message;
}

TEST(RuleSetLoad, TheShippedRulesLoad) {
  const auto set = RuleSet::load(files());
  ASSERT_TRUE(set.has_value()) << set.error().message;
  EXPECT_FALSE(set->is_empty());
  EXPECT_EQ(set->chips().size(), 34U);
  EXPECT_TRUE(set->hash_text().starts_with("sha256:"));
  EXPECT_EQ(set->hash_text().size(), 7U + 64U);
}

TEST(RuleSetLoad, EveryRuleHasAnArabicSentence) {
  const auto set = RuleSet::load(files());
  ASSERT_TRUE(set.has_value());
  for (const Rule& one : set->rules()) EXPECT_FALSE(one.sentence_ar.empty()) << one.id;
  for (const char* phrase : {"missing", "covered", "not_covered", "empty"})
    EXPECT_NE(set->phrase(phrase, Language::ar), set->phrase(phrase, Language::en)) << phrase;
}

TEST(RuleSetLoad, AnOperatorAddsRules) {
  const auto base = RuleSet::load(files());
  const auto more = RuleSet::load(with_rule(rule()));
  ASSERT_TRUE(more.has_value()) << more.error().message;
  EXPECT_EQ(more->rules().size(), base->rules().size() + 1);
  EXPECT_NE(more->hash(), base->hash());
}

TEST(RuleSetLoad, TheHashSeesEveryValue) {
  const auto base = RuleSet::load(files());
  for (const auto& [file, from, to] : std::initializer_list<std::array<const char*, 3>>{
           {"chips.json", "\"dense8\": 1979", "\"dense8\": 1978"},
           {"items.json", "\"at_least\": 4800", "\"at_least\": 4801"},
           {"places.json", "\"until\": \"2026-02-02\"", "\"until\": \"2026-02-03\""},
           {"us-parties.json", "31 CFR chapter V", "31 CFR chapter 5"},
           {"sentences.ar.json", "\"us.syria\": \"", "\"us.syria\": \"-"}}) {
    const auto other = RuleSet::load(changed(file, from, to));
    ASSERT_TRUE(other.has_value()) << other.error().message;
    EXPECT_NE(other->hash(), base->hash()) << file;
  }
}

TEST(RuleSetLoad, RefusesAnUnknownKey) {
  expect_not_loaded(with_rule(rule("\"sentence\"", "\"sentense\"")), "operator.json: rules[0]",
                    "sentence");
  expect_not_loaded(with_rule(rule("\"outcome\"", "\"colour\": 1, \"outcome\"")),
                    "operator.json: rules[0].colour", "");
  expect_not_loaded(with_rule(rule("\"at_least\": 10", "\"at_least\": 10, \"at_lest\": 1")),
                    "operator.json: rules[0].when.at_lest", "");
  expect_not_loaded(changed("chips.json", "\"dense16\"", "\"dense12\""),
                    "chips.json: chips[0].dense12", "");
  expect_not_loaded({{"a.json", R"({"format": "mizan.policy.1", "rule": []})"}}, "a.json.rule",
                    "rules");
}

TEST(RuleSetLoad, RefusesOverlappingDates) {
  expect_not_loaded(
      changed("us-parties.json", "\"until\": \"2025-11-09\"", "\"until\": \"2026-11-10\""),
      "us-parties.json: rules[", "\"us.affiliates\" overlap");
  expect_not_loaded(with_rule(rule() + "," + rule()), "operator.json: rules[0]", "overlap");
  expect_not_loaded(changed("places.json", "{\"country\": \"KH\", ",
                            "{\"country\": \"KH\", \"from\": \"2026-02-02\", \"until\": null, "
                            "\"unverified\": true}, {\"country\": \"KH\", "),
                    "places.json: groups[0].members[", "overlap");
  expect_not_loaded(with_rule(rule("\"from\": null,\n    \"until\": null",
                                   "\"from\": \"2026-01-02\", \"until\": \"2026-01-01\"")),
                    "operator.json: rules[0].until", "before");
}

TEST(RuleSetLoad, AdjoiningDatesDoNotOverlap) {
  const std::string first = rule("\"until\": null", "\"until\": \"2026-01-01\"");
  const std::string second = rule("\"from\": null", "\"from\": \"2026-01-02\"");
  EXPECT_TRUE(RuleSet::load(with_rule(first + "," + second)).has_value());
}

TEST(RuleSetLoad, RefusesAnUnknownCountry) {
  expect_not_loaded(changed("places.json", "\"AF\", \"BY\"", "\"AF\", \"XX\""),
                    "places.json: groups[0].members[1]", "XX");
  expect_not_loaded(changed("us-hardware.json", "\"in\": [\"SY\"]", "\"in\": [\"ZZ\"]"),
                    "us-hardware.json: rules[", "ZZ");
  expect_not_loaded(changed("us-hardware.json", "@is-informed", "@is-infermed"),
                    "us-hardware.json: rules[", "is-informed");
  expect_not_loaded(with_rule(rule("\"jurisdiction\": \"US\"", "\"jurisdiction\": \"QQ\"")),
                    "operator.json: rules[0].jurisdiction", "QQ");
}

TEST(RuleSetLoad, RefusesAMissingCitation) {
  expect_not_loaded(with_rule(rule("\"citation\": \"terms\",", "")),
                    "operator.json: rules[0].citation", "missing");
  expect_not_loaded(with_rule(rule("\"citation\": \"terms\"", "\"citation\": \"\"")),
                    "operator.json: rules[0].citation", "empty");
  expect_not_loaded(changed("items.json", "\"citation\": \"87 FR 62186, ECCN 3A090\",", ""),
                    "items.json: classes[0].citation", "missing");
  expect_not_loaded(
      changed("chips.json", "\"citation\": \"public tracker s-w-kelly/chip-export-controls\",", ""),
      "chips.json: chips[0].citation", "missing");
}

TEST(RuleSetLoad, RefusesWrongWordsAndDates) {
  expect_not_loaded(with_rule(rule("RED_FLAG", "RED_FLAGG")), "operator.json: rules[0].outcome",
                    "RED_FLAG");
  expect_not_loaded(with_rule(rule("end_use", "enduse")), "operator.json: rules[0].head",
                    "end_use");
  expect_not_loaded(with_rule(rule("\"from\": null", "\"from\": \"2026-02-30\"")),
                    "operator.json: rules[0].from", "day that exists");
  expect_not_loaded(with_rule(rule("\"from\": null,", "")), "operator.json: rules[0].from",
                    "missing");
  expect_not_loaded(with_rule(rule("\"units\"", "\"unit\"")), "operator.json: rules[0].when.fact",
                    "units");
  expect_not_loaded(with_rule(rule("\"outcome\"", "\"review\": \"denial\", \"outcome\"")),
                    "operator.json: rules[0].review", "LICENCE");
  expect_not_loaded(with_rule(rule("\"enforced\": true", "\"enforced\": false")),
                    "operator.json: rules[0].head", "pending");
  expect_not_loaded(with_rule(rule("RED_FLAG", "INSUFFICIENT")), "operator.json: rules[0].outcome",
                    "unknown facts");
  expect_not_loaded(with_rule(rule("{\"fact\": \"units\", \"at_least\": 10}", "{\"any\": []}")),
                    "operator.json: rules[0].when.any", "empty");
  expect_not_loaded({{"a.json", "{"}}, "a.json", "");
  expect_not_loaded({{"a.json", R"({"format": "mizan.policy.2"})"}}, "a.json.format",
                    "mizan.policy.1");
  expect_not_loaded({}, "no rule file", "");
}

TEST(RuleSetLoad, MoreUnitsCannotMakeARuleMilder) {
  const std::string units = "{\"fact\": \"units\", \"at_least\": 10}";
  expect_not_loaded(with_rule(rule(units, "{\"fact\": \"units\", \"below\": 10}")),
                    "operator.json: rules[0].when.fact", "at_least");
  expect_not_loaded(with_rule(rule(units, "{\"not\": " + units + "}")),
                    "operator.json: rules[0].when.not.fact", "not");
  expect_not_loaded(with_rule(rule(units,
                                   "{\"not\": {\"all\": [{\"fact\": \"training_work\", "
                                   "\"at_least\": 1}]}}")),
                    "operator.json: rules[0].when.not.all[0].fact", "not");
}

TEST(RuleSetLoad, GroupsDoNotContainThemselves) {
  expect_not_loaded(changed("places.json", "\"members\": [\"IR\", \"KP\", \"SY\"]",
                            "\"members\": [\"@E:1\", \"IR\"]"),
                    "places.json: groups[", "itself");
}

TEST(RuleSet, EmptyAllowsAndSaysSo) {
  const RuleSet set = RuleSet::empty();
  EXPECT_TRUE(set.is_empty());
  Case subject;
  subject.date = Date{20261122};
  subject.location = Fact<Country>::of(*country("US"));
  const Verdict verdict = judge(set, subject);
  EXPECT_EQ(verdict.outcome, Outcome::allow);
  EXPECT_EQ(disposition(verdict), Disposition::pass);
  EXPECT_EQ(answer_json(set, subject, verdict),
            "{\"id\":null,\"verdict\":\"ALLOW\",\"class\":\"none\",\"tpp\":null,\"pd\":null,"
            "\"licence_review\":null,\"findings\":[{\"head\":\"hardware_export\","
            "\"jurisdiction\":\"\",\"rule\":\"rule_set.empty\",\"outcome\":\"ALLOW\","
            "\"citation\":\"\",\"facts\":{},\"missing\":[],\"sentence\":\"The rule set is empty: "
            "nothing was judged.\",\"unverified\":false}],\"not_assessed\":[\"US\"],"
            "\"ruleset\":\"" +
                set.hash_text() + "\"}");
}

TEST(RuleSet, StatusCountsTheUnverified) {
  const auto set = RuleSet::load(files());
  ASSERT_TRUE(set.has_value());
  const auto& shares = set->unverified();
  EXPECT_GT(shares.at("chips").unverified, 30U);
  EXPECT_GT(shares.at("chips").values, 200U);
  EXPECT_GE(shares.at("places").unverified, 40U);
  EXPECT_GE(shares.at("rules").unverified, 4U);
  EXPECT_NE(status_json(*set).find("\"unverified\":{\"all\":{\"values\":"), std::string::npos);
}

}  // namespace
}  // namespace mizan::policy
