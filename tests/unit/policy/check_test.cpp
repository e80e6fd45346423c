#include "codec/binary.hpp"
#include "policy/answer.hpp"
#include "policy/case_json.hpp"
#include "policy/rules_folder.hpp"

#include <gtest/gtest.h>

namespace mizan::policy {
namespace {

const RuleSet& rules() {
  static const RuleSet set = test::load_rules(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  return set;
}

constexpr const char* kLease = R"({"id": "L1", "date": "2026-11-22", "operation": "lease",
  "chip": "H100 SXM", "units": 8, "location": "AU", "licence_conditions": [],
  "parties": [{"role": "buyer", "country": "SG", "hq": "SG", "parent_hq": "SG", "lists": [],
               "listed_owners": [{"share": 0.1, "list": "EL", "effect": "licence"}]}],
  "end_use": "commercial", "training": true})";

std::string with(const std::string& from, const std::string& to) {
  std::string text = kLease;
  const size_t place = text.find(from);
  EXPECT_NE(place, std::string::npos) << from;
  if (place != std::string::npos) text.replace(place, from.size(), to);
  return text;
}

void expect_refused(const std::string& text, const std::string& field, const std::string& what = "",
                    const std::string& near = "") {
  SCOPED_TRACE(text);
  const auto answer = check_text(rules(), text);
  ASSERT_FALSE(answer.has_value());
  const Error& error = answer.error();
  EXPECT_TRUE(error.code == ErrorCode::invalid_argument || error.code == ErrorCode::unknown_field);
  if (!field.empty()) {
    EXPECT_EQ(error.details.contains("field") ? error.details.at("field") : "", field)
        << error.message;
    EXPECT_NE(error.message.find(field), std::string::npos) << error.message;
  }
  EXPECT_NE(error.message.find(what), std::string::npos) << error.message;
  if (!near.empty()) {
    EXPECT_EQ(error.details.contains("nearest") ? error.details.at("nearest") : "", near);
    EXPECT_NE(error.message.find(near), std::string::npos) << error.message;
  }
}

TEST(PolicyCheck, AnswersOneCaseAndMany) {
  const auto one = check_text(rules(), kLease);
  ASSERT_TRUE(one.has_value()) << one.error().message;
  EXPECT_TRUE(
      one->starts_with("{\"id\":\"L1\",\"verdict\":\"ALLOW\",\"class\":\"3A090.a.1\","
                       "\"tpp\":15832,\"pd\":19.45,\"licence_review\":null,\"findings\":["))
      << *one;
  EXPECT_TRUE(one->ends_with("],\"not_assessed\":[\"AU\",\"SG\"],\"ruleset\":\"" +
                             rules().hash_text() + "\"}"));
  const std::string two = std::string("[") + kLease + "," + kLease + "]";
  EXPECT_EQ(*check_text(rules(), two), "[" + *one + ",\n" + *one + "]");
  EXPECT_EQ(*check_text(rules(), "[]"), "[]");
}

TEST(PolicyCheck, AnExemptionRestsOnNoMereDeclaration) {
  const auto excepted = [](const std::string& evidence) {
    const auto answer = check_text(rules(), R"({"id": "H1", "date": "2025-06-01",
      "operation": "export", "units": 8, "destination": "CN", "certifications":
      {"value": ["hbm.packaging_site"], "evidence": ")" +
                                                evidence + R"("}, "chip":
      {"hbm": {"bandwidth_GBps": 329, "package_mm2": 100, "co_packaged": false}}})");
    EXPECT_TRUE(answer) << answer.error().message;
    return answer && answer->find("us.3a090.c.exception") != std::string::npos;
  };
  EXPECT_TRUE(excepted("credential"));
  EXPECT_FALSE(excepted("self_declared"));
}

/// What a rule of an operator, beside the shipped ones, finds in a case.
std::optional<Finding> found_by_rule(const std::string& members, const std::string& text) {
  auto files = test::read_folder(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  files["operator.json"] = R"({"format": "mizan.policy.1", "rules": [{"rule": "op.one",
    "head": "end_use", "jurisdiction": "US", "in_text": true, "enforced": true,
    "unverified": false, "citation": "terms", "sentence": "No.",
    "when": {"fact": "units", "at_least": 1}, )" +
                           members + "}]}";
  const auto set = RuleSet::load(files);
  EXPECT_TRUE(set) << set.error().message;
  const auto value = parse_json(quote_decimals(text));
  const auto subject = read_case(*set, *value, "");
  EXPECT_TRUE(subject) << subject.error().message;
  for (const Finding& finding : judge(*set, *subject).findings)
    if (set->rules()[finding.rule].id == "op.one") return finding;
  return std::nullopt;
}

TEST(PolicyCheck, ARuleHoldsOnItsFirstAndOnItsLastDay) {
  const std::string days = R"("from": "2026-11-22", "until": "2026-11-23",
    "min_evidence": "self_declared", )";
  for (const auto* kind :
       {R"("outcome": "RED_FLAG")", R"("otherwise": true, "outcome": "ALLOW")"}) {
    const std::string members = days + kind;
    EXPECT_FALSE(found_by_rule(members, with("2026-11-22", "2026-11-21"))) << kind;
    EXPECT_TRUE(found_by_rule(members, kLease)) << kind;
    EXPECT_TRUE(found_by_rule(members, with("2026-11-22", "2026-11-23"))) << kind;
    EXPECT_FALSE(found_by_rule(members, with("2026-11-22", "2026-11-24"))) << kind;
  }
}

TEST(PolicyCheck, OfLicencesThatCoverTheLowestNumberIsNamed) {
  const std::string members = R"("from": null, "until": null, "min_evidence": "self_declared",
    "outcome": "LICENCE")";
  const auto named = [&](const std::vector<std::string>& numbers, const std::string& units) {
    std::string licences;
    for (const std::string& number : numbers)
      licences += (licences.empty() ? "" : ",") + (R"({"number": ")" + number) +
                  R"(", "expires": "2026-11-22", "scope": {"chip": "H100 SXM", "units": )" +
                  (number == "A-0" ? units : "8") + R"(, "destination": "AU", "party": "buyer"}})";
    const auto finding = found_by_rule(
        members, with("\"units\": 8", "\"units\": 8, \"licences\": [" + licences + "]"));
    EXPECT_TRUE(finding && finding->licence);
    return finding && finding->licence ? numbers.at(*finding->licence) : "";
  };
  EXPECT_EQ(named({"B-2", "A-1", "C-3"}, "8"), "A-1");
  EXPECT_EQ(named({"A-1", "B-2", "C-3"}, "8"), "A-1");
  EXPECT_EQ(named({"C-3", "B-2", "A-1"}, "8"), "A-1");
  EXPECT_EQ(named({"B-2", "A-0", "A-1"}, "7"), "A-1") << "A-0 does not cover so many units";
}

TEST(PolicyCheck, WeakEvidenceGetsTheWorstReviewThatIsPossible) {
  const std::string members = R"("from": null, "until": null, "min_evidence": "credential",
    "outcome": "LICENCE", "review": [
      {"review": "approval_likely", "when": {"fact": "location", "in": ["AU"]}},
      {"review": "case_by_case", "when": {"fact": "location", "in": ["SG"]}},
      {"review": "denial", "when": {"all": []}}])";
  const auto review = [&](const std::string& location) {
    const auto finding = found_by_rule(members, with("\"location\": \"AU\", ", location));
    EXPECT_TRUE(finding);
    return finding ? finding->review : Review::none;
  };
  const auto said = [](const std::string& value, const std::string& evidence) {
    return R"("location": {"value": ")" + value + R"(", "evidence": ")" + evidence + R"("}, )";
  };
  EXPECT_EQ(review(said("AU", "credential")), Review::approval_likely);
  EXPECT_EQ(review(said("SG", "credential")), Review::case_by_case);
  EXPECT_EQ(review(said("AU", "self_declared")), Review::denial) << "it may be elsewhere";
  EXPECT_EQ(review(""), Review::denial);
}

TEST(PolicyCheck, SpeaksArabic) {
  const auto answer = check_text(rules(), kLease, {}, Language::ar);
  ASSERT_TRUE(answer.has_value());
  EXPECT_NE(answer->find("إتاحة الاستعمال عن بُعد"), std::string::npos);
  const auto open = check_text(rules(), with("\"hq\": \"SG\", ", ""), {}, Language::ar);
  EXPECT_NE(open->find("من دون: hq."), std::string::npos) << *open;
}

TEST(PolicyCheck, RefusesUnknownFields) {
  expect_refused(with("\"units\"", "\"unit\""), "unit", "", "units");
  expect_refused(with("\"hq\"", "\"headquarters\""), "parties[0].headquarters");
  expect_refused(with("\"share\"", "\"shares\""), "parties[0].listed_owners[0].shares", "",
                 "share");
  expect_refused(std::string("[") + kLease + "," + with("\"units\"", "\"colour\"") + "]",
                 "cases[1].colour");
}

TEST(PolicyCheck, RefusesBadDates) {
  expect_refused(with("2026-11-22", "2026-11-31"), "date", "YYYY-MM-DD");
  expect_refused(with("2026-11-22", "22.11.2026"), "date");
  expect_refused(with("\"2026-11-22\"", "20261122"), "date");
  expect_refused(with("\"date\": \"2026-11-22\", ", ""), "date", "missing");
}

TEST(PolicyCheck, RefusesBadShares) {
  expect_refused(with("0.1", "1.01"), "parties[0].listed_owners[0].share", "0 to 1");
  expect_refused(with("0.1", "-0.1"), "parties[0].listed_owners[0].share", "0 to 1");
  expect_refused(with("0.1", "2"), "parties[0].listed_owners[0].share");
  expect_refused(with("0.1", "true"), "parties[0].listed_owners[0].share");
}

TEST(PolicyCheck, RefusesCountriesThatDoNotExist) {
  expect_refused(with("\"AU\"", "\"XX\""), "location", "XX");
  expect_refused(with("\"AU\"", "\"Australia\""), "location", "Australia");
  expect_refused(with("\"country\": \"SG\"", "\"country\": \"sg\""), "parties[0].country");
  expect_refused(with("\"licence_conditions\": []", "\"licence_conditions\": [\"no_hq:ZZ\"]"),
                 "licence_conditions[0]", "ZZ");
}

TEST(PolicyCheck, OffersTheNearestChip) {
  expect_refused(with("H100 SXM", "H100"), "chip", "", "H100 SXM");
  expect_refused(with("H100 SXM", "h100 sxm"), "chip", "", "H100 SXM");
  expect_refused(with("H100 SXM", "RTX4090"), "chip", "", "RTX 4090");
  expect_refused(with("H100 SXM", "Ascend 910D"), "chip", "", "Ascend 910B");
  expect_refused(with("H100 SXM", "zzz"), "chip");
  expect_refused(with("\"H100 SXM\"", "7"), "chip");
}

TEST(PolicyCheck, RefusesBadWordsAndShapes) {
  expect_refused(with("\"lease\"", "\"rent\""), "operation", "lease export reexport transfer");
  expect_refused(with("\"buyer\"", "\"buyers\""), "parties[0].role", "buyer", "buyer");
  expect_refused(with("\"commercial\"", "\"profit\""), "end_use");
  expect_refused(with("\"effect\": \"licence\"", "\"effect\": \"warn\""),
                 "parties[0].listed_owners[0].effect");
  expect_refused(with("\"training\": true", "\"training\": 1"), "training");
  expect_refused(with("\"units\": 8", "\"units\": 0"), "units");
  expect_refused(with("\"units\": 8", "\"units\": 8.5"), "units");
  expect_refused(with("\"units\": 8", "\"units\": -8"), "units");
  expect_refused(with("\"units\": 8", "\"units\": {\"value\": 8}"), "units.evidence");
  expect_refused(with("\"units\": 8", "\"units\": {\"value\": 8, \"evidence\": \"hearsay\"}"),
                 "units.evidence");
  expect_refused(with("\"units\": 8",
                      "\"units\": {\"value\": 8, \"evidence\": \"measured\", "
                      "\"by\": 1}"),
                 "units.by");
  expect_refused(with("\"licence_conditions\": []", "\"licence_conditions\": [\"no_hp:CN\"]"),
                 "licence_conditions[0]", "", "no_hq");
  expect_refused(with("\"units\": 8", "\"notices\": [\"H20\"]"), "notices[0]", "", "h20");
  expect_refused(with("\"units\": 8", "\"certifications\": [\"dd.labs\"]"), "certifications[0]", "",
                 "dd.lab");
  expect_refused(with("\"H100 SXM\"", "{\"dense8\": 1, \"dense9\": 1}"), "chip.dense9");
  expect_refused(with("\"H100 SXM\"", "{\"applicable_die_mm2\": 0}"), "chip.applicable_die_mm2");
  expect_refused(with("\"H100 SXM\"", "{\"dense8\": 0.12345678901}"), "chip.dense8", "nine");
  expect_refused(with("\"H100 SXM\"", "{\"hbm\": {\"area\": 1}}"), "chip.hbm.area");
  expect_refused("7", "");
  expect_refused("[[]]", "");
  expect_refused("", "");
  expect_refused("{\"date\": \"2026-11-22\", \"date\": \"2026-11-22\"}", "", "twice");
}

TEST(PolicyCheck, AMinimalCaseIsInsufficient) {
  const auto answer = check_text(rules(), R"({"date": "2026-11-22"})");
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_TRUE(
      answer->starts_with("{\"id\":null,\"verdict\":\"INSUFFICIENT\",\"class\":\"unknown\""));
}

TEST(PolicyCheck, ACaseKeepsItsVerdictThroughTheJournal) {
  const auto value = parse_json(quote_decimals(kLease));
  const auto subject = read_case(rules(), *value, "");
  ASSERT_TRUE(subject.has_value());
  const auto again = decode<Case>(encode(*subject));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(encode(*again), encode(*subject));
  EXPECT_EQ(answer_json(rules(), *again, judge(rules(), *again)), *check_text(rules(), kLease));
}

TEST(TrainingWork, IsAnUpperBound) {
  EXPECT_EQ(training_work(rules(), "H100 SXM", 8, 3600).value(), 8U * 3600 * 1979);
  EXPECT_EQ(training_work(rules(), "RTX 4090", 1, 1).value(), 1322U);  // 1321.2 at four bits
  EXPECT_FALSE(training_work(rules(), "MI308X", 1, 1));
  EXPECT_FALSE(training_work(rules(), "H100", 1, 1));
  EXPECT_FALSE(training_work(rules(), "H100 SXM", UINT64_MAX, 2));
}

}  // namespace
}  // namespace mizan::policy
