// mizan policy check, status: judge a case file, say how much of the rules is unverified.
// SPDX-License-Identifier: Apache-2.0
#include "mizan/commands.hpp"
#include "mizan/files.hpp"
#include "mizan/json_view.hpp"
#include "mizan/policy_view.hpp"
#include "mizan/rules.hpp"
#include "policy/answer.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

constexpr size_t kCaseFileBytesMax = size_t{256} << 20;
constexpr std::string_view kNotAdvice = "A tool for a compliance officer, not legal advice.\n";

struct Options {
  std::string file;
  std::vector<fs::path> rules;
  std::string language = "en";
  bool pending = false;
};

Result<policy::RuleSet> rules_of(const Context& context, const Options& options) {
  if (options.rules.empty()) return load_rules({shipped_rules(context)});
  return load_rules(options.rules);
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
    for (const json::value& one : value.as_array()) terminal.write(render_answer(terminal, one));
  } else {
    terminal.write(render_answer(terminal, value));
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
  command
      .add_option("--rules", options.rules,
                  "Folder of rule files; repeat it to add an operator's own. Default: the shipped "
                  "ones")
      ->allow_extra_args(false);
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
  add_policy_officer(*policy, context);
  add_policy_rules(*policy, context);
}

}  // namespace mizan::cli
