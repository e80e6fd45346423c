// mizan policy set, diff, replay: rule sets, what they would change, and a verdict made again.
// SPDX-License-Identifier: Apache-2.0
#include "credential/jose.hpp"
#include "crypto/address.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "exchange/explain.hpp"
#include "mizan/commands.hpp"
#include "mizan/journal_folder.hpp"
#include "mizan/json_view.hpp"
#include "mizan/policy_view.hpp"
#include "mizan/print.hpp"
#include "mizan/receipt_check.hpp"
#include "mizan/rules.hpp"
#include "mizan/session.hpp"
#include "policy/diff.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

constexpr uint64_t kValidSeconds = 300;

struct SetFlags {
  std::vector<std::string> rules, issuers, no_issuers, officers, no_officers, stricter;
  uint32_t signers = 0;
  bool pending = false, no_pending = false, development = false, no_development = false;
};

tl::unexpected<Error> bad_flag(const std::string& flag, const std::string& why) {
  return fail(Error{ErrorCode::invalid_argument, flag + ": " + why, {{"field", flag}}});
}

/// The member `key` of `options` as an object, made if it is missing.
json::object& inner(json::object& options, const char* key) {
  json::value& value = options[key];
  if (!value.is_object()) value = json::object{};
  return value.as_object();
}

Result<Address> flag_address(const char* flag, const std::string& text) {
  auto address = parse_address(text);
  if (address) return address;
  return bad_flag(flag, "\"" + text + "\": " + address.error().message);
}

Result<void> change_officers(const SetFlags& flags, json::object& options) {
  if (flags.officers.empty() && flags.no_officers.empty()) return {};
  std::set<Address> officers;
  if (const auto* list = options.if_contains("officers")) {
    MIZAN_TRY(known, from_json<std::vector<Address>>(*list, "officers"));
    officers.insert(known.begin(), known.end());
  }
  for (const std::string& text : flags.officers) {
    MIZAN_TRY(address, flag_address("--officer", text));
    officers.insert(address);
  }
  for (const std::string& text : flags.no_officers) {
    MIZAN_TRY(address, flag_address("--no-officer", text));
    if (officers.erase(address) == 0) return bad_flag("--no-officer", text + " is none");
  }
  json::array list;
  for (const Address& address : officers) list.push_back(to_json(address));
  options["officers"] = std::move(list);
  return {};
}

Result<void> change_issuers(const SetFlags& flags, json::object& options) {
  for (const std::string& text : flags.issuers) {
    const size_t at = text.find('=');
    if (at == std::string::npos) return bad_flag("--issuer", "write URI=FILE, a file with its JWK");
    const std::string file = text.substr(at + 1);
    MIZAN_TRY(jwk, read_json_file(file));
    MIZAN_TRY(key, credential::parse_jwk(jwk, file));
    if (!std::holds_alternative<credential::P256Key>(key))
      return bad_flag("--issuer",
                      "an issuer's key is of P-256; `mizan credential issuer` makes one");
    inner(options, "issuers")[text.substr(0, at)] = credential::to_jwk(key);
  }
  for (const std::string& uri : flags.no_issuers)
    if (inner(options, "issuers").erase(uri) == 0)
      return bad_flag("--no-issuer", uri + " is not accepted as it is");
  return {};
}

/// The options in force with the flags' changes.
Result<json::value> changed_options(const SetFlags& flags, const json::value& policy) {
  json::object options;
  if (const json::value& now = member_value(policy, "options"); now.is_object())
    options = now.as_object();
  MIZAN_CHECK(change_issuers(flags, options));
  MIZAN_CHECK(change_officers(flags, options));
  if (flags.signers != 0) options["signersNeeded"] = flags.signers;
  for (const std::string& text : flags.stricter) {
    const size_t at = text.find('=');
    if (at == std::string::npos)
      return bad_flag("--stricter", "write NOTIFY=RED_FLAG, or NOTIFY= to take that back");
    json::object& stricter = inner(options, "stricter");
    if (at + 1 == text.size())
      stricter.erase(text.substr(0, at));
    else
      stricter[text.substr(0, at)] = text.substr(at + 1);
  }
  if (flags.development) options["developmentIssuers"] = true;
  if (flags.no_development) options["developmentIssuers"] = false;
  return json::value(std::move(options));
}

Result<Hash32> upload_rules(Session& session, const SetFlags& flags) {
  MIZAN_TRY(files, read_rule_files({flags.rules.begin(), flags.rules.end()}));
  // Refused here with the file and the place, before anything is sent.
  auto rules = policy::RuleSet::load(files);
  if (!rules) return fail(std::move(rules).error().with("field", "--rules"));
  json::object texts;
  for (const auto& [name, text] : files) texts[name] = text;
  MIZAN_TRY(answer, session.put("/v1/policy/rulesets", json::object{{"files", std::move(texts)}}));
  MIZAN_TRY(kept, member<Hash32>(answer, "ruleSet"));
  if (kept != rules->hash())
    return fail(ErrorCode::internal,
                "the exchange reads these rules otherwise than this program: use the same version");
  return kept;
}

Result<int> set(const Context& context, const SetFlags& flags) {
  MIZAN_TRY(session, Session::open(context, Access::orders));
  if (session.account() != session.info().operator_)
    return fail(ErrorCode::forbidden,
                fmt::format("only the operator {} sets the policy; you act as {}",
                            to_checksum(session.info().operator_), to_checksum(session.account())));
  MIZAN_TRY(now, session.get("/v1/policy"));
  MIZAN_TRY(options, changed_options(flags, now));
  MIZAN_TRY(text, canonical_json(options));
  eip712::PolicyChange change{.options_hash = keccak256(text), .nonce = random_u64()};
  if (flags.rules.empty()) {
    MIZAN_TRY(hash, member<Hash32>(now, "ruleSet"));
    change.rule_set = hash;
  } else {
    MIZAN_TRY(hash, upload_rules(session, flags));
    change.rule_set = hash;
  }
  change.pending = flags.pending || (member_or<bool>(now, "pending") && !flags.no_pending);
  change.deadline = session.exchange_time_ms() / 1000 + kValidSeconds;
  const json::object body{
      {"change", to_json(change)},
      {"options", options},
      {"signature", to_json(eip712::sign(session.domain(), change, session.key()))}};
  MIZAN_TRY(answer, session.post("/v1/policy", body, hex(random_bytes(16))));
  MIZAN_TRY(review, session.get("/v1/policy/review"));
  const json::value& rows = member_value(review, "leases");
  const size_t worse = rows.is_array() ? rows.as_array().size() : 0;
  if (context.json) {
    print_json(json::object{{"policy", member_value(answer, "policy")}, {"review", rows}});
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  terminal.write(fmt::format("in force: rules {}{}\n", hex0x(change.rule_set.view()),
                             change.pending ? ", pending law counts" : ""));
  terminal.write(worse == 0 ? std::string("every live lease would pass now\n")
                            : fmt::format("{} live lease(s) would not pass now: mizan policy "
                                          "review\n",
                                          worse));
  return kExitDone;
}

struct ReplayFlags {
  std::string lease;
  fs::path journal, receipt, out;
  std::string language = "en";
};

Result<exchange::Lease> find_in(const LeaseHistory& history, const std::string& ref) {
  const std::string digits = ref.starts_with("0x") ? ref.substr(2) : ref;
  const exchange::Lease* found = nullptr;
  for (const auto& [id, lease] : history) {
    if (digits.size() < 4 || !hex(id.view()).starts_with(digits)) continue;
    if (found != nullptr && found->id != lease.id)
      return bad_flag("lease", "\"" + ref + "\" fits several leases: give more digits");
    found = &lease;
  }
  if (found != nullptr) return *found;
  return fail(ErrorCode::not_found, "the journal has no lease \"" + ref + "\"");
}

/// What the exchange signed of the verdict, as a receipt's file holds it.
Result<bool> signed_alike(const fs::path& file, const exchange::Lease& lease,
                          const exchange::Replayed& again) {
  MIZAN_TRY(value, read_json_file(file));
  MIZAN_TRY(bundle, read_receipt(value));
  if (bundle.receipt.lease != lease.id)
    return bad_flag("--receipt", file.string() + " is of another lease");
  bool holds = true;
  for (const ReceiptFinding& finding : check_receipt(bundle, std::nullopt))
    holds = holds && finding.holds;
  return holds && bundle.clearance.verdict == again.hash &&
         bundle.clearance.rule_set == lease.verdict.rule_set &&
         bundle.receipt.verdict == again.hash;
}

Result<int> replay(const Context& context, const ReplayFlags& flags) {
  MIZAN_TRY(rules, kept_rules(flags.journal));
  MIZAN_TRY(journal, open_journal(flags.journal));
  MIZAN_TRY(history, lease_history(*journal, rules));
  MIZAN_TRY(lease, find_in(history, flags.lease));
  MIZAN_TRY(again, exchange::replay(lease, rules));
  std::optional<bool> alike;
  if (!flags.receipt.empty()) {
    MIZAN_TRY(compared, signed_alike(flags.receipt, lease, again));
    alike = compared;
  }
  if (!flags.out.empty()) MIZAN_CHECK(write_small_file(flags.out, as_text(again.bytes)));
  const bool well = again.same && alike.value_or(true);
  const auto language = flags.language == "ar" ? policy::Language::ar : policy::Language::en;
  MIZAN_TRY(explained, exchange::explain(lease, rules, exchange::Viewer::officer, language));
  const Terminal terminal(stdout, context.no_color);
  if (context.json) {
    json::value head = json::object{{"lease", hex0x(lease.id.view())},
                                    {"verdict", again.outcome},
                                    {"hash", hex0x(again.hash.view())},
                                    {"ruleset", hex0x(lease.verdict.rule_set.view())},
                                    {"bytes", again.bytes.size()},
                                    {"same", again.same},
                                    {"signed", alike ? json::value(*alike) : nullptr}};
    std::string text = json_text(head);
    text.pop_back();
    terminal.write(text + ",\"explained\":" + explained + "}\n");
    return well ? kExitDone : kExitFailed;
  }
  const auto cell = [](bool good) {
    return good ? Cell{"the same", Style::green} : Cell{"ANOTHER", Style::red};
  };
  std::vector<std::pair<std::string, Cell>> lines{
      {"lease", {hex0x(lease.id.view()), Style::bold}},
      {"verdict", {again.outcome, outcome_style(again.outcome)}},
      {"bytes", {fmt::format("{}, hash {}", again.bytes.size(), hex0x(again.hash.view()))}},
      {"in the journal", cell(again.same)}};
  if (alike) lines.push_back({"as signed", cell(*alike)});
  terminal.write(render_pairs(terminal, lines));
  return well ? kExitDone : kExitFailed;
}

struct DiffFlags {
  fs::path before, after, journal;
  std::string day_before, day_after;
  bool pending_before = false, pending_after = false;
};

Result<policy::Side> side_of(const policy::RuleSet& rules, const std::string& day, bool pending,
                             const char* flag) {
  policy::Side side{rules, std::nullopt, {pending}};
  if (day.empty()) return side;
  const auto date = policy::parse_date(day);
  if (!date) return bad_flag(flag, "is a day like 2026-11-22");
  side.day = *date;
  return side;
}

std::string render_difference(const Terminal& terminal, const policy::Difference& difference) {
  std::string out;
  Table chips({{"CHIP"}, {"WAS"}, {"IS"}});
  for (const policy::ChipChange& change : difference.chips)
    chips.add({{printable(change.chip), Style::bold}, {change.before}, {change.after}});
  if (!chips.empty()) out += chips.render(terminal);
  Table flips({{"LEASE"}, {"WAS"}, {"IS"}, {"RULE"}});
  for (const policy::Flip& flip : difference.flips)
    flips.add({{flip.id.substr(0, 12), Style::bold},
               {std::string(to_string(flip.before)), outcome_style(to_string(flip.before))},
               {std::string(to_string(flip.after)), outcome_style(to_string(flip.after))},
               {flip.rule}});
  if (!flips.empty()) out += flips.render(terminal);
  return out + fmt::format("{} chip(s) change class; {} of {} lease(s) would be judged otherwise\n",
                           difference.chips.size(), difference.flips.size(), difference.cases);
}

Result<int> diff(const Context& context, const DiffFlags& flags) {
  MIZAN_TRY(first, load_rules({flags.before}));
  MIZAN_TRY(second, load_rules({flags.after}));
  MIZAN_TRY(before, side_of(first, flags.day_before, flags.pending_before, "--day1"));
  MIZAN_TRY(after, side_of(second, flags.day_after, flags.pending_after, "--day2"));
  std::vector<policy::Case> cases;
  if (!flags.journal.empty()) {
    MIZAN_TRY(rules, kept_rules(flags.journal));
    MIZAN_TRY(journal, open_journal(flags.journal));
    MIZAN_TRY(history, lease_history(*journal, rules));
    for (const auto& [id, lease] : history) {
      if (id != lease.id) continue;  // the same one, while it was held
      MIZAN_TRY(file, exchange::read_case_file(lease.case_file));
      cases.push_back(std::move(file.subject));
      cases.back().id = hex0x(id.view());
    }
  }
  const policy::Difference difference = policy::compare(before, after, cases);
  const Terminal terminal(stdout, context.no_color);
  terminal.write(context.json ? policy::difference_json(before, after, difference) + "\n"
                              : render_difference(terminal, difference));
  return kExitDone;
}

void add_set(CLI::App& policy, Context& context) {
  auto flags = std::make_shared<SetFlags>();
  auto& command = *policy.add_subcommand(
      "set", "Bring rules and options into force (operator's key); what is not named stays");
  command.add_option("--rules", flags->rules, "Folders of rule files, together one rule set");
  command.add_option("--issuer", flags->issuers, "Accept an issuer: URI=FILE with its JWK");
  command.add_option("--no-issuer", flags->no_issuers, "Accept it no more: its URI");
  command.add_option("--officer", flags->officers, "An address that may decide");
  command.add_option("--no-officer", flags->no_officers, "An address that may not any more");
  command.add_option("--signers", flags->signers, "How many officers approve a held deal")
      ->check(CLI::Range(1, 2));
  command.add_option("--stricter", flags->stricter,
                     "An outcome taken for a worse one: NOTIFY=RED_FLAG; NOTIFY= takes it back");
  auto* pending = command.add_flag("--pending", flags->pending, "Pending law counts");
  command.add_flag("--no-pending", flags->no_pending, "It does not")->excludes(pending);
  auto* development = command.add_flag("--development-issuers", flags->development,
                                       "Say that issuers are of a demo");
  command.add_flag("--no-development-issuers", flags->no_development, "Say that they are real")
      ->excludes(development);
  on_run(command, context, [&context, flags] { return set(context, *flags); });
}

}  // namespace

void add_policy_rules(CLI::App& policy, Context& context) {
  add_set(policy, context);

  auto again = std::make_shared<ReplayFlags>();
  auto& replayed = *policy.add_subcommand("replay", "Make a verdict again from a journal, offline");
  replayed.add_option("lease", again->lease, "Id; its first digits do")->required();
  replayed.add_option("--journal", again->journal, "The exchange's state folder; it must not run")
      ->required();
  replayed.add_option("--receipt", again->receipt, "Compare with what this receipt signs, too");
  replayed.add_option("--out", again->out, "Write the bytes that the hash covers");
  replayed.add_option("--lang", again->language, "The language of the sentences")
      ->check(CLI::IsMember({"en", "ar"}));
  on_run(replayed, context, [&context, again] { return replay(context, *again); });

  auto two = std::make_shared<DiffFlags>();
  auto& compared = *policy.add_subcommand(
      "diff", "What-if: which chips and leases two rule sets treat otherwise");
  compared.add_option("rules1", two->before, "A folder of rule files")->required();
  compared.add_option("rules2", two->after, "Another")->required();
  compared.add_option("--journal", two->journal, "Judge its leases by both: a state folder");
  compared.add_option("--day1", two->day_before, "Judge by the first on this day");
  compared.add_option("--day2", two->day_after, "Judge by the second on this day");
  compared.add_flag("--pending1", two->pending_before, "Pending law of the first counts");
  compared.add_flag("--pending2", two->pending_after, "Pending law of the second counts");
  on_run(compared, context, [&context, two] { return diff(context, *two); });
}

}  // namespace mizan::cli
