// Every case of tests/policy/cases gets the verdict, head, rule and facts that it expects.
// SPDX-License-Identifier: Apache-2.0
#include "policy/answer.hpp"
#include "policy/case_files.hpp"
#include "policy/case_json.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mizan::test {
namespace {

const policy::RuleSet& rules() {
  static const policy::RuleSet set = load_rules(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  return set;
}

json::value answer_to(const FileCase& one) {
  const auto subject = policy::read_case(rules(), one.facts, "case");
  EXPECT_TRUE(subject.has_value()) << (subject ? "" : subject.error().message);
  if (!subject) return {};
  const policy::Verdict verdict = policy::judge(rules(), *subject, {one.pending});
  return parse_exact(policy::answer_json(rules(), *subject, verdict));
}

bool contains(const json::array& array, const json::value& value) {
  return std::find(array.begin(), array.end(), value) != array.end();
}

// The worst outcome of a head's findings, spelled; "ALLOW" where it has none.
std::string head_outcome(const json::array& findings, std::string_view head) {
  for (const json::value& finding : findings)  // worst first
    if (finding.at("head").as_string() == head) return finding.at("outcome").as_string().c_str();
  return "ALLOW";
}

void expect_finding(const json::object& expect, const json::object& first) {
  EXPECT_EQ(first.at("head"), expect.at("head"));
  EXPECT_EQ(first.at("rule"), expect.at("rule"));
  EXPECT_FALSE(first.at("citation").as_string().empty());
  EXPECT_FALSE(first.at("sentence").as_string().empty());
  if (const json::value* missing = expect.if_contains("missing")) {
    for (const json::value& name : missing->as_array())
      EXPECT_TRUE(contains(first.at("missing").as_array(), name)) << name;
  } else if (expect.at("verdict").as_string() != "INSUFFICIENT") {
    EXPECT_TRUE(expect.contains("review") || first.at("missing").as_array().empty());
  }
  if (const json::value* unverified = expect.if_contains("unverified")) {
    EXPECT_EQ(first.at("unverified"), *unverified);
  }
  if (const json::value* number = expect.if_contains("covered_by")) {
    const json::value* covered = first.at("facts").as_object().if_contains("covered_by");
    EXPECT_EQ(covered == nullptr ? json::value() : *covered, *number);
  }
}

void expect_answer(const json::object& expect, const json::object& answer) {
  EXPECT_EQ(answer.at("verdict"), expect.at("verdict"));
  const json::array& findings = answer.at("findings").as_array();
  ASSERT_FALSE(findings.empty());
  expect_finding(expect, findings.front().as_object());
  if (const json::value* review = expect.if_contains("review")) {
    EXPECT_EQ(answer.at("licence_review"), *review);
  }
  for (const char* key : {"class", "tpp", "pd", "not_assessed"}) {
    if (const json::value* wanted = expect.if_contains(key)) {
      EXPECT_EQ(answer.at(key), *wanted) << key;
    }
  }
  const json::object none;
  const json::value* heads = expect.if_contains("heads");
  for (const auto& head : heads == nullptr ? none : heads->as_object())
    EXPECT_EQ(head_outcome(findings, head.key()), head.value().as_string()) << head.key();
}

TEST(PolicyCases, EveryCaseGetsItsVerdict) {
  size_t total = 0;
  size_t leases = 0;
  std::set<std::string> ids;
  for (const FileCase& one : read_cases()) {
    SCOPED_TRACE(one.file + ": " + one.id);
    EXPECT_TRUE(ids.insert(one.id).second) << "the id is there twice";
    ++total;
    if (one.id.starts_with("lease.")) ++leases;
    const json::value answer = answer_to(one);
    if (!answer.is_object()) continue;
    expect_answer(one.expect, answer.as_object());
    if (HasFailure()) std::cout << json_text(answer) << '\n';
    if (HasFatalFailure()) return;
  }
  EXPECT_GE(total, 300U);
  EXPECT_GE(leases * 2, total);
}

}  // namespace
}  // namespace mizan::test
