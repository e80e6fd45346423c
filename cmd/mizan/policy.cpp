// mizan policy: judge a case file, say how much of the rules is unverified.
// SPDX-License-Identifier: Apache-2.0
#include "mizan/commands.hpp"
#include "mizan/files.hpp"
#include "mizan/json_view.hpp"
#include "mizan/rules.hpp"
#include "mizan/terminal.hpp"
#include "policy/answer.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

constexpr size_t kCaseFileBytesMax = size_t{256} << 20;
constexpr std::string_view kNotAdvice = "A tool for a compliance officer, not legal advice.\n";

struct Options {
  std::string file;
  std::string rules;
  std::string language = "en";
  bool pending = false;
};

Style outcome_style(std::string_view outcome) {
  if (outcome == "ALLOW" || outcome == "NOTIFY") return Style::green;
  return outcome == "PROHIBITED" || outcome == "LICENCE" ? Style::red : Style::yellow;
}

std::string joined(const json::value& words) {
  std::string text;
  for (const json::value& word : words.as_array())
    text += (text.empty() ? "" : ", ") + printable(word.as_string());
  return text;
}

void print_answer(const Terminal& terminal, const json::value& answer) {
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
    out += terminal.paint(
               Style::dim,
               fmt::format("{:34}{} ({}){}", "", text(finding, "citation"), text(finding, "rule"),
                           member_or<bool>(finding, "unverified") ? "; rests on an unverified value"
                                                                  : "")) +
           '\n';
  }
  if (!member_value(answer, "not_assessed").as_array().empty())
    out += "  not assessed: " + joined(member_value(answer, "not_assessed")) + '\n';
  terminal.write(out + "  rules " + text(answer, "ruleset") + "\n");
}

Result<policy::RuleSet> rules_of(const Context& context, const Options& options) {
  return load_rules(options.rules.empty() ? shipped_rules(context) : fs::path(options.rules));
}

Result<int> check(const Context& context, const Options& options) {
  MIZAN_TRY(rules, rules_of(context, options));
  auto text = read_small_file(options.file, kCaseFileBytesMax);
  if (!text) return fail(ErrorCode::invalid_argument, text.error().message);
  const auto language = options.language == "ar" ? policy::Language::ar : policy::Language::en;
  MIZAN_TRY(answers, policy::check_text(rules, *text, {options.pending}, language));
  if (context.json) {
    fmt::print("{}\n", answers);
    return kExitDone;
  }
  JsonLimits limits;
  limits.max_bytes = SIZE_MAX;
  MIZAN_TRY(value, parse_json(policy::quote_decimals(answers), limits));
  const Terminal terminal(stdout, context.no_color);
  if (value.is_array()) {
    for (const json::value& one : value.as_array()) print_answer(terminal, one);
  } else {
    print_answer(terminal, value);
  }
  terminal.write(kNotAdvice);
  return kExitDone;
}

Result<int> status(const Context& context, const Options& options) {
  MIZAN_TRY(rules, rules_of(context, options));
  const std::string text = policy::status_json(rules);
  if (context.json) {
    fmt::print("{}\n", text);
    return kExitDone;
  }
  MIZAN_TRY(value, parse_json(text));
  const Terminal terminal(stdout, context.no_color);
  std::vector<std::pair<std::string, Cell>> lines{
      {"rule set", {rules.hash_text(), Style::bold}},
      {"rules", {std::to_string(rules.rules().size())}},
      {"classes", {std::to_string(rules.classes().size())}},
      {"chips", {std::to_string(rules.chips().size())}}};
  for (const auto& kind : member_value(value, "unverified").as_object())
    lines.push_back(
        {"unverified, " + std::string(kind.key()),
         {fmt::format("{} of {} values ({})", member_or<uint64_t>(kind.value(), "unverified"),
                      member_or<uint64_t>(kind.value(), "values"),
                      member_or<std::string>(kind.value(), "share"))}});
  terminal.write(render_pairs(terminal, lines));
  return kExitDone;
}

void add_rules_option(CLI::App& command, Options& options) {
  command.add_option("--rules", options.rules, "A folder of rule files; default: the shipped ones");
}

}  // namespace

void add_policy(CLI::App& app, Context& context) {
  CLI::App* policy = app.add_subcommand("policy", "Judge deals by dated, cited rules");
  policy->require_subcommand(1);
  auto options = std::make_shared<Options>();

  CLI::App* judge = policy->add_subcommand("check", "Judge one case or an array of cases");
  judge->add_option("file", options->file, "The case file (JSON; docs/POLICY.md has the format)")
      ->required();
  add_rules_option(*judge, *options);
  judge->add_flag("--pending", options->pending, "Also law that is pending or not enforced");
  judge->add_option("--lang", options->language, "The language of the sentences")
      ->check(CLI::IsMember({"en", "ar"}));
  on_run(*judge, context, [&context, options] { return check(context, *options); });

  CLI::App* state = policy->add_subcommand("status", "Say how much of the rules is unverified");
  add_rules_option(*state, *options);
  on_run(*state, context, [&context, options] { return status(context, *options); });
}

}  // namespace mizan::cli
