// Judges case files for the oracle.
//
// policy_answers RULES_DIR FILE            the answers, as `mizan policy check --json` has them
// policy_answers RULES_DIR FILE --lines    a line each: "P{case}" (pending law on) or "-{case}" in,
//                                          "VERDICT CLASS REVIEW" and each head's outcome out
// SPDX-License-Identifier: Apache-2.0
#include "policy/answer.hpp"
#include "policy/case_json.hpp"
#include "policy/rules_folder.hpp"

#include <iostream>

namespace {

using namespace mizan::policy;

bool answer_line(const RuleSet& rules, const std::string& line) {
  auto value = mizan::parse_json(quote_decimals(std::string_view(line).substr(1)));
  auto subject =
      value ? read_case(rules, *value, "") : mizan::Result<Case>(tl::unexpect, value.error());
  if (!subject) {
    std::cerr << subject.error().message << '\n' << line << '\n';
    return false;
  }
  const Verdict verdict = judge(rules, *subject, {line[0] == 'P'});
  std::string out(to_string(verdict.outcome));
  out += " " + class_name(rules, verdict.classes) + " " + std::string(to_string(verdict.review));
  for (size_t head = 0; head < kHeads; ++head)
    out += " " + std::string(to_string(outcome_of(verdict, static_cast<Head>(head))));
  std::cout << out << '\n';
  return true;
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) return 2;
  const RuleSet rules = mizan::test::load_rules(words[1]);
  if (count > 3) {
    std::ifstream lines(words[2]);
    for (std::string line; std::getline(lines, line);)
      if (!answer_line(rules, line)) return 2;
    return 0;
  }
  const auto answers = check_text(rules, mizan::test::read_text(words[2]));
  if (!answers) {
    std::cerr << answers.error().message << '\n';
    return 2;
  }
  std::cout << *answers << '\n';
  return 0;
}
