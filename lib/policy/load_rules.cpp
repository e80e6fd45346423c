#include "policy/fact_json.hpp"
#include "policy/loader.hpp"
#include "policy/words.hpp"

#include <algorithm>
#include <tuple>

namespace mizan::policy {

Result<void> Loader::read_rules() {
  for (const Element& element : sections_["rules"]) {
    MIZAN_TRY(rule, read_rule(element));
    count("rules", rule.unverified);
    set_.rules_.push_back(std::move(rule));
  }
  std::sort(set_.rules_.begin(), set_.rules_.end(), [](const Rule& a, const Rule& b) {
    return std::tie(a.head, a.id, a.from) < std::tie(b.head, b.id, b.from);
  });
  return check_windows();
}

Result<Rule> Loader::read_rule(const Element& element) {
  ObjectReader in(element.value, element.path);
  Rule rule;
  json::value head;
  json::value least;
  json::value when;
  json::value outcome;
  in.required("rule", rule.id);
  in.required("head", head);
  in.required("jurisdiction", rule.jurisdiction);
  in.required("in_text", rule.in_text);
  in.required("enforced", rule.enforced);
  in.optional("otherwise", rule.otherwise);
  in.required("unverified", rule.unverified);
  in.required("min_evidence", least);
  in.required("citation", rule.citation);
  in.required("sentence", rule.sentence);
  in.required("when", when);
  in.required("outcome", outcome);
  in.find("review");
  MIZAN_TRY(window, read_window(in));
  MIZAN_CHECK(in.finish());
  rule.from = window.first;
  rule.until = window.second;
  if (rule.id.empty()) return bad_field(in.path("rule"), "is empty");
  if (rule.citation.empty()) return bad_field(in.path("citation"), "is empty; say where it stands");
  if (rule.sentence.empty()) return bad_field(in.path("sentence"), "is empty");
  MIZAN_TRY(head_place, read_word(head, in.path("head"), "a head", kHeadWords));
  rule.head = static_cast<Head>(head_place);
  if ((rule.head == Head::pending) == (rule.in_text && rule.enforced))
    return bad_field(in.path("head"),
                     "a rule that is not in the text or not enforced has the head \"pending\", "
                     "another has not");
  const bool listed = std::find(jurisdiction_names_.begin(), jurisdiction_names_.end(),
                                rule.jurisdiction) != jurisdiction_names_.end();
  if (!listed)
    MIZAN_CHECK(
        read_country(json::value(json::string_view(rule.jurisdiction)), in.path("jurisdiction")));
  MIZAN_TRY(strength, read_evidence(least, in.path("min_evidence")));
  rule.least = strength;
  MIZAN_TRY(outcome_place, read_word(outcome, in.path("outcome"), "an outcome", kOutcomeWords));
  rule.outcome = static_cast<Outcome>(outcome_place);
  if (rule.outcome == Outcome::insufficient)
    return bad_field(in.path("outcome"), "INSUFFICIENT comes of unknown facts, not of a rule");
  if (rule.otherwise && rule.outcome != Outcome::allow)
    return bad_field(in.path("otherwise"), "is for rules whose outcome is ALLOW");
  rule.most_asked = rule.least;
  const Scope scope{rule.least, false, true, &rule.most_asked};
  MIZAN_TRY(condition, read_condition(when, in.path("when"), scope));
  rule.when = condition;
  MIZAN_CHECK(read_reviews(in, rule));
  return rule;
}

Result<void> Loader::read_reviews(ObjectReader& in, Rule& rule) {
  const json::value* value = in.find("review");
  if (value == nullptr || value->is_null()) return {};
  const std::string path = in.path("review");
  if (rule.outcome != Outcome::licence)
    return bad_field(path, "is for rules whose outcome is LICENCE");
  const auto words = std::span(kReviewWords).subspan(1);
  Scope scope{rule.least, false, false, &rule.most_asked};
  if (value->is_string()) {
    MIZAN_TRY(place, read_word(*value, path, "a review", words));
    MIZAN_TRY(always, read_condition(json::object{{"all", json::array{}}}, path, scope));
    rule.reviews.push_back({static_cast<Review>(place + 1), always});
    return {};
  }
  MIZAN_TRY(branches, from_json<std::vector<json::value>>(*value, path));
  for (size_t i = 0; i < branches.size(); ++i) {
    ObjectReader branch(branches[i], path + "[" + std::to_string(i) + "]");
    json::value review;
    json::value when;
    branch.required("review", review);
    branch.required("when", when);
    MIZAN_CHECK(branch.finish());
    MIZAN_TRY(place, read_word(review, branch.path("review"), "a review", words));
    MIZAN_TRY(condition, read_condition(when, branch.path("when"), scope));
    rule.reviews.push_back({static_cast<Review>(place + 1), condition});
  }
  return {};
}

// Rules of one id are versions of one rule: no day may have two.
Result<void> Loader::check_windows() {
  std::vector<const Rule*> sorted;
  for (const Rule& rule : set_.rules_) sorted.push_back(&rule);
  std::sort(sorted.begin(), sorted.end(), [](const Rule* a, const Rule* b) {
    return std::tie(a->id, a->from) < std::tie(b->id, b->from);
  });
  for (size_t i = 1; i < sorted.size(); ++i) {
    const Rule& before = *sorted[i - 1];
    const Rule& after = *sorted[i];
    if (before.id != after.id || after.from > before.until) continue;
    std::string places;
    for (const Element& element : sections_["rules"])
      if (element.value.get_object().at("rule").get_string() == before.id)
        places += (places.empty() ? "" : " and ") + element.path;
    return bad_field(places, "the dates of \"" + before.id + "\" overlap");
  }
  return {};
}

}  // namespace mizan::policy
