// The answer: a verdict as JSON, with its findings' facts, citations and sentences.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/judge.hpp"

namespace mizan::policy {

/// The answer of one case as one line of JSON (policy/schema/answer.json has the format). The same
/// rule set, case, options and language give the same bytes. `verdict` came from judge() with the
/// same rule set and case. Findings leave out the facts that `hidden` names: one ("training"), or
/// all of a role ("buyer"); `not_assessed` leaves out the countries of such a role.
std::string answer_json(const RuleSet& rules, const Case& subject, const Verdict& verdict,
                        Language language = Language::en,
                        const std::vector<std::string>& hidden = {});

/// `mizan policy check`: judges one case or an array of cases and gives one answer or an array of
/// them. An error names the field: a bad file.
Result<std::string> check_text(const RuleSet& rules, std::string_view text,
                               const Options& options = {}, Language language = Language::en);

/// `mizan policy status`: the hash, the numbers of rules and chips, and how many values are
/// unverified, by kind and in all ("share" as "0.12").
std::string status_json(const RuleSet& rules);

}  // namespace mizan::policy
