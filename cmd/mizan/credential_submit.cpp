// mizan credential submit: prove to the exchange what its rules ask of a party, and no more.
// SPDX-License-Identifier: Apache-2.0
#include "credential/sd_jwt.hpp"
#include "crypto/random.hpp"
#include "mizan/commands.hpp"
#include "mizan/files.hpp"
#include "mizan/json_view.hpp"
#include "mizan/print.hpp"
#include "mizan/session.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mizan::cli {
namespace {

namespace cred = credential;

/// What an exchange reads; all else in a credential stays with its holder.
constexpr std::array<std::string_view, 9> kRead{
    "country",   "hq",       "parent_hq",      "lists",         "listed_owners",
    "person_id", "group_id", "record_locator", "retention_days"};

struct Flags {
  fs::path file;
  std::vector<std::string> show;
  std::vector<fs::path> status_lists;
};

Result<std::string> read_line_of(const fs::path& path) {
  MIZAN_TRY(text, read_small_file(path));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

/// The claims to show: those that are asked for, else all that the exchange reads.
Result<std::vector<std::string>> shown_of(const std::string& credential, const Flags& flags) {
  if (!flags.show.empty()) return flags.show;
  MIZAN_TRY(names, cred::selectable(credential));
  std::erase_if(names, [](const std::string& name) {
    return std::find(kRead.begin(), kRead.end(), name) == kRead.end();
  });
  return names;
}

/// A presentation for a fresh challenge of this exchange; one that the file holds already goes as
/// it is.
Result<std::string> presentation_of(Session& session, const Flags& flags) {
  MIZAN_TRY(text, read_line_of(flags.file));
  if (text.empty() || text.find('~') == std::string::npos)
    return fail(ErrorCode::invalid_argument,
                flags.file.string() + " holds no credential: it is one line with \"~\" in it");
  if (text.back() != '~') return text;
  MIZAN_TRY(show, shown_of(text, flags));
  MIZAN_TRY(challenge, session.post("/v1/credentials/challenge", json::object{}));
  MIZAN_TRY(nonce, member<std::string>(challenge, "nonce"));
  MIZAN_TRY(audience, member<std::string>(challenge, "audience"));
  return cred::present(text, show, session.key(),
                       {audience, nonce, session.exchange_time_ms() / 1000});
}

Result<json::object> status_lists_of(const Flags& flags) {
  json::object lists;
  for (const fs::path& file : flags.status_lists) {
    MIZAN_TRY(token, read_line_of(file));
    MIZAN_TRY(jws, cred::parse_jws(token));
    const auto uri = member_or<std::string>(jws.payload, "sub");
    if (uri.empty())
      return fail(Error{ErrorCode::invalid_argument,
                        "--status-list: " + file.string() + " names no list (sub)",
                        {{"field", "--status-list"}}});
    lists[uri] = token;
  }
  return lists;
}

std::string fact_text(const json::value& facts, const char* name) {
  const json::value& fact = member_value(facts, name);
  if (fact.is_null()) return "unknown";
  return printable(fact.is_string() ? std::string(fact.get_string()) : json_text(fact));
}

Result<int> submit(const Context& context, const Flags& flags) {
  MIZAN_TRY(session, Session::open(context, Access::orders));
  MIZAN_TRY(presentation, presentation_of(session, flags));
  json::object body{{"presentation", presentation}};
  if (!flags.status_lists.empty()) {
    MIZAN_TRY(lists, status_lists_of(flags));
    body["statusLists"] = std::move(lists);
  }
  MIZAN_TRY(answer, session.post("/v1/credentials", body, hex(random_bytes(16))));
  if (context.json) {
    print_json(answer);
    return kExitDone;
  }
  const json::value& facts = member_value(answer, "facts");
  std::vector<std::pair<std::string, Cell>> lines{
      {"vouched for by", {printable(member_or<std::string>(facts, "issuer"))}}};
  for (const auto& [label, name] :
       {std::pair{"country", "country"}, std::pair{"headquarters", "hq"},
        std::pair{"of the parent", "parentHq"}, std::pair{"lists", "lists"},
        std::pair{"listed owners", "listedOwners"}})
    lines.push_back({label, {fact_text(facts, name)}});
  lines.push_back({"until", {utc(member_or<uint64_t>(facts, "expiresAt") * 1000)}});
  const Terminal terminal(stdout, context.no_color);
  terminal.write(render_pairs(terminal, lines));
  return kExitDone;
}

}  // namespace

void add_credential_submit(CLI::App& credential, Context& context) {
  auto& command = *credential.add_subcommand(
      "submit", "Prove to the exchange what its rules ask: challenge, presentation, answer");
  auto flags = std::make_shared<Flags>();
  command.add_option("CREDENTIAL", flags->file, "File of the credential, or of a presentation")
      ->required();
  command
      .add_option("--show", flags->show,
                  "Claims to show; default: all that the exchange reads, and no other")
      ->delimiter(',');
  command.add_option("--status-list", flags->status_lists,
                     "File of the issuer's status list, which says that it is not revoked");
  on_run(command, context, [&context, flags] { return submit(context, *flags); });
}

}  // namespace mizan::cli
