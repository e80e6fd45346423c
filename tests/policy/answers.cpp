// Prints the answers of a case file: policy_answers RULES_DIR CASE_FILE [--pending]. For the oracle.
// SPDX-License-Identifier: Apache-2.0
#include "policy/answer.hpp"
#include "policy/rules_folder.hpp"

#include <iostream>

int main(int count, char** words) {
  if (count < 3) return 2;
  const auto rules = mizan::test::load_rules(words[1]);
  const mizan::policy::Options options{count > 3 && std::string(words[3]) == "--pending"};
  const auto answers = mizan::policy::check_text(rules, mizan::test::read_text(words[2]), options);
  if (!answers) {
    std::cerr << answers.error().message << '\n';
    return 2;
  }
  std::cout << *answers << '\n';
  return 0;
}
