#include "mizan/policy_view.hpp"

#include "crypto/address.hpp"
#include "mizan/json_view.hpp"
#include "mizan/print.hpp"
#include "policy/answer.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

std::string joined(const json::value& words) {
  std::string text;
  for (const json::value& word : words.as_array())
    text += (text.empty() ? "" : ", ") + printable(word.as_string());
  return text;
}

std::string text_of(const json::value& value, const char* key) {
  return printable(member_or<std::string>(value, key));
}

/// A fact of a case: "SG (credential)", "unknown", "n/a".
std::string fact_text(const json::value& fact) {
  if (fact.is_null()) return "unknown";
  if (fact.is_string()) return printable(std::string_view(fact.get_string()));
  const json::value& value = member_value(fact, "value");
  const std::string text = value.is_string() ? std::string(value.get_string()) : json_text(value);
  return printable(text) + " (" + text_of(fact, "evidence") + ")";
}

std::string case_lines(const json::value& subject) {
  std::string out;
  for (const char* name : {"date", "operation"}) out += text_of(subject, name) + "  ";
  for (const char* name : {"chip", "units", "group_units", "training_work", "location", "end_use",
                           "training", "licence_conditions"})
    if (const json::object* facts = subject.if_object(); facts != nullptr && facts->contains(name))
      out += fmt::format("\n  {:18} {}", name, fact_text(member_value(subject, name)));
  const json::value& parties = member_value(subject, "parties");
  if (!parties.is_array()) return out + '\n';
  for (const json::value& party : parties.get_array()) {
    out += fmt::format("\n  {:18} {}", text_of(party, "role"), text_of(party, "id"));
    for (const char* name : {"country", "hq", "parent_hq", "lists", "listed_owners"})
      out += fmt::format("\n    {:16} {}", name, fact_text(member_value(party, name)));
  }
  return out + '\n';
}

}  // namespace

Style outcome_style(std::string_view outcome) {
  if (outcome == "ALLOW" || outcome == "NOTIFY") return Style::green;
  return outcome == "PROHIBITED" || outcome == "LICENCE" ? Style::red : Style::yellow;
}

std::string render_answer(const Terminal& terminal, const json::value& answer) {
  const auto text = [](const json::value& value, const char* key) {
    return printable(member_or<std::string>(value, key));
  };
  const std::string verdict = text(answer, "verdict");
  const std::string id = text(answer, "id");
  std::string out =
      fmt::format("{}{}   class {}", id.empty() ? "" : id + ": ",
                  terminal.paint(outcome_style(verdict), verdict), text(answer, "class"));
  if (!member_value(answer, "tpp").is_null())
    out += fmt::format(", TPP {}", member_or<uint64_t>(answer, "tpp"));
  if (!member_value(answer, "pd").is_null()) out += ", PD " + text(answer, "pd");
  const std::string review = text(answer, "licence_review");
  if (!review.empty()) out += ", review " + review;
  out += '\n';
  for (const json::value& finding : member_value(answer, "findings").as_array()) {
    const std::string outcome = text(finding, "outcome");
    const std::string head = text(finding, "head");
    out +=
        fmt::format("  {}{:{}} {:18}  {}\n", terminal.paint(outcome_style(outcome), outcome), "",
                    outcome.size() < 12 ? 12 - outcome.size() : 1, head, text(finding, "sentence"));
    const json::value& party = member_value(member_value(finding, "facts"), "party");
    const std::string about = party.is_null() ? "" : "; about " + printable(json_text(party));
    out += terminal.paint(Style::dim, fmt::format("{:34}{} ({}){}{}", "", text(finding, "citation"),
                                                  text(finding, "rule"), about,
                                                  member_or<bool>(finding, "unverified")
                                                      ? "; rests on an unverified value"
                                                      : "")) +
           '\n';
  }
  if (!member_value(answer, "not_assessed").as_array().empty())
    out += "  not assessed: " + joined(member_value(answer, "not_assessed")) + '\n';
  return out + "  rules " + text(answer, "ruleset") + "\n";
}

Result<json::value> parse_verdict(std::string_view text) {
  JsonLimits limits;
  limits.max_bytes = 4 << 20;
  return parse_json(policy::quote_decimals(text), limits, "the exchange's answer");
}

std::string render_verdict(const Terminal& terminal, const json::value& verdict) {
  const std::string outcome = text_of(verdict, "verdict");
  std::string out = render_pairs(terminal, {{"lease", {text_of(verdict, "lease"), Style::bold}},
                                            {"state", {text_of(verdict, "state")}},
                                            {"verdict", {outcome, outcome_style(outcome)}},
                                            {"because", {text_of(verdict, "note")}},
                                            {"hash", {text_of(verdict, "hash")}}});
  for (const json::value& flag : member_value(verdict, "flags").as_array())
    out += fmt::format("  {}     {} ({})\n", terminal.paint(Style::yellow, "RED_FLAG"),
                       text_of(flag, "sentence"), text_of(flag, "rule"));
  out += terminal.paint(Style::bold, "\nWhat was known") + "\n" +
         case_lines(member_value(verdict, "case"));
  out += terminal.paint(Style::bold, "\nWhat the rules say") + "\n" +
         render_answer(terminal, member_value(verdict, "answer"));
  for (const json::value& decision : member_value(verdict, "decisions").as_array()) {
    const bool approved = member_or<bool>(decision, "approve");
    const std::string reason = text_of(decision, "reason");
    out += fmt::format(
        "{} by {} at {}{}\n",
        terminal.paint(approved ? Style::green : Style::red, approved ? "approved" : "rejected"),
        text_of(decision, "officer"), utc(member_or<uint64_t>(decision, "atMs")),
        reason.empty() ? "" : ": " + reason);
  }
  if (const json::value& now = member_value(verdict, "review"); now.is_object())
    out += terminal.paint(Style::yellow, "would not pass now") + ": " + text_of(now, "verdict") +
           ", " + text_of(now, "note") + '\n';
  return out;
}

}  // namespace mizan::cli
