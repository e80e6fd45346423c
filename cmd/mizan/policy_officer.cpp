// mizan policy queue, approve, reject, explain, review, list-party, licence: an officer's work.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/address.hpp"
#include "crypto/random.hpp"
#include "mizan/commands.hpp"
#include "mizan/json_view.hpp"
#include "mizan/lookup.hpp"
#include "mizan/policy_view.hpp"
#include "mizan/print.hpp"
#include "mizan/session.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

constexpr uint64_t kValidSeconds = 300;

struct Flags {
  std::string lease, verdict, reason, language = "en";
  std::string account, person, group, list, effect = "block";
  bool off = false;
  std::string number, chip = "n/a", destination = "n/a", party, expires;
  uint64_t units = 0;
};

std::string text_of(const json::value& value, const char* key) {
  return printable(member_or<std::string>(value, key));
}

/// The leases of an answer `{"leases": [{"lease": Lease, ...}]}`.
Result<std::vector<json::value>> rows_of(Session& session, const std::string& target) {
  MIZAN_TRY(answer, session.get(target));
  const json::value& rows = member_value(answer, "leases");
  if (!rows.is_array()) return fail(ErrorCode::internal, "the exchange's answer lacks \"leases\"");
  return std::vector<json::value>(rows.as_array().begin(), rows.as_array().end());
}

/// Whether `text` is the first digits of `id`, four or more.
bool begins_with(const Hash32& id, const std::string& text) {
  const std::string digits = text.starts_with("0x") ? text.substr(2) : text;
  return digits.size() >= 4 && hex(id.view()).starts_with(digits);
}

/// A whole id, or the first digits of one that is held, up for review, or the caller's own.
Result<LeaseId> named_lease(const Context& context, Session& session, const std::string& ref) {
  if (const auto whole = parse_fixed<LeaseId>(ref)) return *whole;
  bool officer = false;
  for (const char* place : {"/v1/policy/queue", "/v1/policy/review"}) {
    const auto rows = rows_of(session, place);
    if (!rows) continue;  // not an officer's key
    officer = true;
    std::optional<LeaseId> found;
    for (const json::value& row : *rows) {
      MIZAN_TRY(id, member<LeaseId>(member_value(row, "lease"), "lease"));
      if (!begins_with(id, ref)) continue;
      if (found)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("\"{}\" fits several leases: give more digits", ref));
      found = id;
    }
    if (found) return *found;
  }
  auto job = find_job(context, session, ref);
  if (job) return job->lease;
  if (officer && job.error().code == ErrorCode::not_found)
    return fail(ErrorCode::not_found,
                fmt::format("no lease of the queue or the review begins with \"{}\": of another, "
                            "give the whole id",
                            ref));
  return fail(std::move(job).error());
}

Cell usd_cell(const json::value& lease, const char* name) {
  return {format_usd(Money{member_or<u128>(lease, name)})};
}

Result<int> queue(const Context& context) {
  MIZAN_TRY(session, Session::open(context, Access::requests));
  MIZAN_TRY(answer, session.get("/v1/policy/queue"));
  if (context.json) {
    print_json(answer);
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  Table table({{"LEASE"},
               {"VERDICT"},
               {"BUYER"},
               {"CHIP"},
               {"UNITS", true},
               {"ESCROW", true},
               {"UNTIL"},
               {"SAID"},
               {"BECAUSE"}});
  for (const json::value& row : member_value(answer, "leases").as_array()) {
    const json::value& lease = member_value(row, "lease");
    const json::value& verdict = member_value(lease, "verdict");
    const std::string outcome = text_of(verdict, "verdict");
    MIZAN_TRY(id, member<LeaseId>(lease, "lease"));
    const json::value& said = member_value(row, "decisions");
    table.add({{short_id(id), Style::bold},
               {outcome, outcome_style(outcome)},
               {short_address(member_or<Address>(member_value(lease, "terms"), "buyer"))},
               {text_of(lease, "chip")},
               {std::to_string(member_or<uint64_t>(lease, "units"))},
               usd_cell(lease, "escrow"),
               {utc(member_or<uint64_t>(row, "heldUntilMs"))},
               {said.is_array() ? std::to_string(said.as_array().size()) : "0"},
               {text_of(verdict, "note")}});
  }
  if (table.empty())
    terminal.write("no deal waits for an officer\n");
  else
    terminal.write(table.render(terminal) +
                   (terminal.live() ? "mizan policy explain LEASE says why; then approve LEASE "
                                      "--reason TEXT or reject LEASE --reason TEXT\n"
                                    : ""));
  return kExitDone;
}

template <class Message>
Result<json::value> send_signed(Session& session, const std::string& target, const char* name,
                                Message message) {
  message.nonce = random_u64();
  message.deadline = session.exchange_time_ms() / 1000 + kValidSeconds;
  const Signature signature = eip712::sign(session.domain(), message, session.key());
  return session.post(target,
                      json::object{{"officer", to_json(session.account())},
                                   {name, to_json(message)},
                                   {"signature", to_json(signature)}},
                      hex(random_bytes(16)));
}

Result<std::string> verdict_text(Session& session, const LeaseId& lease,
                                 const std::string& language) {
  auto response = session.client().get(
      fmt::format("/v1/leases/{}/verdict?lang={}", hex0x(lease.view()), language));
  if (!response) return fail(std::move(response).error());
  return std::move(response->body);
}

/// What the officer signs is the verdict that is shown here.
Result<int> decide(const Context& context, const Flags& flags, bool approve) {
  MIZAN_TRY(session, Session::open(context, Access::orders));
  MIZAN_TRY(lease, named_lease(context, session, flags.lease));
  MIZAN_TRY(text, verdict_text(session, lease, flags.language));
  MIZAN_TRY(shown, parse_verdict(text));
  MIZAN_TRY(verdict, member<Hash32>(shown, "hash"));
  if (!flags.verdict.empty() && !begins_with(verdict, flags.verdict))
    return fail(ErrorCode::conflict,
                fmt::format("the verdict is {} now, not {}: look at it again with mizan policy "
                            "explain {}; nothing was signed",
                            hex0x(verdict.view()), flags.verdict, short_id(lease)));
  const Terminal terminal(stdout, context.no_color);
  if (!context.json) terminal.write(render_verdict(terminal, shown) + '\n');
  MIZAN_TRY(answer, send_signed(session, "/v1/policy/decisions", "decision",
                                eip712::Decision{.lease = lease,
                                                 .verdict = verdict,
                                                 .approve = approve,
                                                 .reason = flags.reason}));
  if (context.json) {
    print_json(answer);
    return kExitDone;
  }
  const json::value& now = member_value(answer, "lease");
  const auto state = text_of(now, "state");
  std::string said = fmt::format("{} {}", approve ? "approved" : "rejected", short_id(lease));
  if (approve && state == "held")
    said += "; it waits for another officer";
  else if (approve)
    said += fmt::format("; it is {} as {}", state, short_id(member_or<LeaseId>(now, "lease")));
  else
    said += "; the buyer's escrow came back";
  terminal.write(said + '\n');
  return kExitDone;
}

Result<int> explain(const Context& context, const Flags& flags) {
  MIZAN_TRY(session, Session::open(context, Access::requests));
  MIZAN_TRY(lease, named_lease(context, session, flags.lease));
  MIZAN_TRY(text, verdict_text(session, lease, flags.language));
  const Terminal terminal(stdout, context.no_color);
  if (context.json) {
    // As it came: the same bytes every time.
    terminal.write(text + (text.ends_with('\n') ? "" : "\n"));
    return kExitDone;
  }
  MIZAN_TRY(verdict, parse_verdict(text));
  terminal.write(render_verdict(terminal, verdict));
  return kExitDone;
}

Result<int> review(const Context& context) {
  MIZAN_TRY(session, Session::open(context, Access::requests));
  MIZAN_TRY(answer, session.get("/v1/policy/review"));
  if (context.json) {
    print_json(answer);
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  Table table({{"LEASE"}, {"STATE"}, {"BUYER"}, {"PROVIDER"}, {"WAS"}, {"NOW"}, {"BECAUSE"}});
  for (const json::value& row : member_value(answer, "leases").as_array()) {
    const json::value& lease = member_value(row, "lease");
    const json::value& now = member_value(row, "review");
    const json::value& terms = member_value(lease, "terms");
    const std::string was = text_of(member_value(lease, "verdict"), "verdict");
    const std::string outcome = text_of(now, "verdict");
    MIZAN_TRY(id, member<LeaseId>(lease, "lease"));
    table.add({{short_id(id), Style::bold},
               {text_of(lease, "state")},
               {short_address(member_or<Address>(terms, "buyer"))},
               {short_address(member_or<Address>(terms, "provider"))},
               {was, outcome_style(was)},
               {outcome, outcome_style(outcome)},
               {text_of(now, "note")}});
  }
  terminal.write(table.empty() ? "every live lease would pass now\n" : table.render(terminal));
  return kExitDone;
}

Result<Hash32> pairwise(const std::string& text, const char* flag) {
  if (text.empty()) return Hash32{};
  if (const auto id = parse_fixed<Hash32>(text)) return *id;
  return fail(Error{ErrorCode::invalid_argument,
                    fmt::format("{}: is 0x and 64 hex digits, as a credential names it", flag),
                    {{"field", flag}}});
}

Result<Address> flag_address(const char* flag, const std::string& text) {
  auto address = parse_address(text);
  if (address) return address;
  return fail(Error{ErrorCode::invalid_argument,
                    fmt::format("{}: \"{}\": {}", flag, text, address.error().message),
                    {{"field", flag}}});
}

Result<int> list_party(const Context& context, const Flags& flags) {
  eip712::Listing listing{.list = flags.list, .effect = flags.effect, .listed = !flags.off};
  if (!flags.account.empty()) {
    MIZAN_TRY(account, flag_address("--account", flags.account));
    listing.account = account;
  }
  MIZAN_TRY(person, pairwise(flags.person, "--person"));
  MIZAN_TRY(group, pairwise(flags.group, "--group"));
  listing.person = person;
  listing.group = group;
  if (listing.account.is_zero() && person.is_zero() && group.is_zero())
    return fail(ErrorCode::invalid_argument,
                "say who: --account ADDRESS, --person ID or --group ID (or several of them)");
  MIZAN_TRY(session, Session::open(context, Access::orders));
  MIZAN_TRY(answer, send_signed(session, "/v1/policy/listings", "listing", listing));
  if (context.json)
    print_json(answer);
  else
    Terminal(stdout, context.no_color)
        .write(fmt::format("{} list {} with effect {}\n", flags.off ? "taken off" : "put on",
                           printable(flags.list), flags.effect));
  return kExitDone;
}

Result<uint64_t> last_day(const std::string& text) {
  const bool form = text.size() == 10 && text[4] == '-' && text[7] == '-';
  const std::string digits =
      form ? text.substr(0, 4) + text.substr(5, 2) + text.substr(8, 2) : std::string();
  if (digits.size() != 8 || digits.find_first_not_of("0123456789") != std::string::npos)
    return fail(Error{ErrorCode::invalid_argument,
                      "--expires: is the last day, like 2027-06-30",
                      {{"field", "--expires"}}});
  return std::stoull(digits);
}

Result<int> licence(const Context& context, const Flags& flags) {
  eip712::LicenceOnFile filed{.number = flags.number,
                              .chip = flags.chip,
                              .units = flags.units,
                              .destination = flags.destination};
  MIZAN_TRY(expires, last_day(flags.expires));
  filed.expires = expires;
  if (!flags.party.empty()) {
    MIZAN_TRY(party, flag_address("--party", flags.party));
    filed.party = party;
  }
  MIZAN_TRY(session, Session::open(context, Access::orders));
  MIZAN_TRY(answer, send_signed(session, "/v1/policy/licences", "licence", filed));
  if (context.json)
    print_json(answer);
  else
    Terminal(stdout, context.no_color)
        .write(fmt::format("licence {} is on file until {}\n", printable(flags.number),
                           flags.expires));
  return kExitDone;
}

void add_decision(CLI::App& policy, Context& context, const std::shared_ptr<Flags>& flags,
                  bool approve) {
  auto& command = *policy.add_subcommand(
      approve ? "approve" : "reject",
      approve ? "Let a held deal go on; signed" : "Undo a held deal; signed");
  command.add_option("lease", flags->lease, "Id; its first digits do")->required();
  command.add_option("--verdict", flags->verdict,
                     "Only if this is its verdict still: the hash that explain showed; its first "
                     "digits do");
  command.add_option("--reason", flags->reason, "Why, at most 1024 bytes: it is signed and kept")
      ->required();
  on_run(command, context, [&context, flags, approve] { return decide(context, *flags, approve); });
}

}  // namespace

void add_policy_officer(CLI::App& policy, Context& context) {
  auto flags = std::make_shared<Flags>();
  auto& queued = *policy.add_subcommand("queue", "Deals that wait for an officer");
  on_run(queued, context, [&context] { return queue(context); });
  add_decision(policy, context, flags, true);
  add_decision(policy, context, flags, false);

  auto& why = *policy.add_subcommand("explain", "A lease's verdict: facts, rules and reasons");
  why.add_option("lease", flags->lease, "Id (its first digits do), or your job's name")->required();
  why.add_option("--lang", flags->language, "The language of the sentences")
      ->check(CLI::IsMember({"en", "ar"}));
  on_run(why, context, [&context, flags] { return explain(context, *flags); });

  auto& again = *policy.add_subcommand("review", "Live leases that would not pass any more");
  on_run(again, context, [&context] { return review(context); });

  auto& listing = *policy.add_subcommand("list-party", "Put a party on a list, or take it off");
  listing.add_option("--account", flags->account, "An account's address");
  listing.add_option("--person", flags->person, "A person's pairwise id");
  listing.add_option("--group", flags->group, "A group's pairwise id");
  listing.add_option("--list", flags->list, "The list's id, e.g. EL")->required();
  listing.add_option("--effect", flags->effect, "What being on it means")
      ->check(CLI::IsMember({"block", "licence"}))
      ->capture_default_str();
  listing.add_flag("--off", flags->off, "Take it off that list");
  on_run(listing, context, [&context, flags] { return list_party(context, *flags); });

  auto& filed = *policy.add_subcommand("licence", "Put a licence on file");
  filed.add_option("number", flags->number, "The licence's number")->required();
  filed.add_option("--units", flags->units, "How many units it covers")->required();
  filed.add_option("--expires", flags->expires, "Its last day, like 2027-06-30")->required();
  filed.add_option("--chip", flags->chip, "The one chip that it covers; default: any");
  filed.add_option("--destination", flags->destination, "The one country; default: any");
  filed.add_option("--party", flags->party, "The one account; default: any");
  on_run(filed, context, [&context, flags] { return licence(context, *flags); });
}

}  // namespace mizan::cli
