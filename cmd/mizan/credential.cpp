// mizan credential: what an issuer vouches for, and how its holder shows part of it.
// SPDX-License-Identifier: Apache-2.0
#include "credential/sd_jwt.hpp"
#include "credential/status_list.hpp"
#include "crypto/address.hpp"
#include "crypto/private_file.hpp"
#include "mizan/commands.hpp"
#include "mizan/files.hpp"
#include "mizan/keys.hpp"
#include "mizan/print.hpp"

#include <memory>

namespace mizan::cli {
namespace {

namespace cred = credential;

constexpr uint64_t kDaySeconds = 86'400;
constexpr uint64_t kStatusEntries = 65'536;

uint64_t now_seconds() {
  return system_clock().now().seconds();
}

Result<std::string> read_text(const std::string& path) {
  MIZAN_TRY(text, read_small_file(path));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

/// Writes to `out`, or prints; a token is one line either way.
Result<int> deliver(const std::string& out, const std::string& text) {
  if (out.empty()) {
    std::printf("%s\n", text.c_str());
    return kExitDone;
  }
  MIZAN_CHECK(write_private_file(out, as_bytes(text + "\n")));
  return kExitDone;
}

Result<cred::IssuerKey> read_issuer_key(const std::string& path) {
  MIZAN_TRY(pem, read_private_file(path));
  return cred::IssuerKey::from_pem(pem);
}

Result<int> make_issuer(const std::string& path) {
  if (fs::exists(path))
    return fail(ErrorCode::already_exists, path + " is there; a key is never overwritten");
  const cred::IssuerKey key = cred::IssuerKey::generate();
  const std::string pem = key.to_pem();
  MIZAN_CHECK(write_private_file(path, as_bytes(pem)));
  print_json(cred::to_jwk(key.public_key()));
  return kExitDone;
}

Result<int> show_holder(const Context& context) {
  MIZAN_TRY(entry, choose_key(context));
  MIZAN_TRY(key, open_key(context, entry));
  print_json(cred::to_jwk(public_key(key)));
  return kExitDone;
}

struct IssueFlags {
  std::string key, issuer, holder, claims, status_list, out;
  uint64_t days = 30, status_index = 0;
};

Result<int> issue(const IssueFlags& flags) {
  MIZAN_TRY(key, read_issuer_key(flags.key));
  MIZAN_TRY(holder_jwk, read_json_file(flags.holder));
  MIZAN_TRY(holder, cred::parse_jwk(holder_jwk, flags.holder));
  if (!std::holds_alternative<PublicKey>(holder))
    return fail(ErrorCode::invalid_argument,
                "--holder: a party's key is of secp256k1; `mizan credential holder` prints it");
  MIZAN_TRY(claims, read_json_file(flags.claims));
  if (!claims.is_object())
    return fail(ErrorCode::invalid_argument, "--claims: the file holds one JSON object");
  cred::Issuance what;
  what.issuer = flags.issuer;
  what.holder = std::get<PublicKey>(holder);
  what.issued_at = now_seconds();
  what.expires_at = what.issued_at + flags.days * kDaySeconds;
  what.status_list = flags.status_list;
  what.status_index = flags.status_index;
  what.selective = std::move(claims.get_object());
  return deliver(flags.out, cred::issue(what, key));
}

struct PresentFlags {
  std::string credential, audience, nonce, out;
  std::vector<std::string> show;
};

Result<int> present(const Context& context, const PresentFlags& flags) {
  MIZAN_TRY(credential, read_text(flags.credential));
  MIZAN_TRY(entry, choose_key(context));
  MIZAN_TRY(key, open_key(context, entry));
  MIZAN_TRY(shown, cred::present(credential, flags.show, key,
                                 {flags.audience, flags.nonce, now_seconds()}));
  return deliver(flags.out, shown);
}

struct VerifyFlags {
  std::string presentation, issuers, audience, nonce, status_list;
  uint64_t time = 0;
};

Result<int> verify(const VerifyFlags& flags) {
  MIZAN_TRY(presentation, read_text(flags.presentation));
  MIZAN_TRY(issuers, read_json_file(flags.issuers));
  if (!issuers.is_object())
    return fail(ErrorCode::invalid_argument, "--issuers: the file maps an issuer's URI to its JWK");
  cred::Demand demand;
  for (const auto& issuer : issuers.get_object()) {
    MIZAN_TRY(key, cred::parse_jwk(issuer.value(), issuer.key()));
    demand.issuers.emplace(issuer.key(), key);
  }
  demand.audience = flags.audience;
  demand.nonce = flags.nonce;
  demand.now = flags.time != 0 ? flags.time : now_seconds();
  MIZAN_TRY(result, cred::verify(presentation, demand));
  if (!result.status_list.empty()) {
    if (flags.status_list.empty())
      return fail(ErrorCode::unavailable, "the credential can be revoked: give " +
                                              result.status_list + " with --status-list FILE");
    MIZAN_TRY(token, read_text(flags.status_list));
    MIZAN_TRY(list, cred::StatusList::parse(token, result.status_list,
                                            demand.issuers.at(result.issuer), demand.now));
    MIZAN_CHECK(list.check(result.status_index));
  }
  print_json(json::object{{"issuer", result.issuer},
                          {"holder", to_checksum(result.holder)},
                          {"issuedAt", result.issued_at},
                          {"expiresAt", result.expires_at},
                          {"claims", result.claims}});
  return kExitDone;
}

struct RevokeFlags {
  std::string list, key, uri;
  uint64_t index = 0, days = 1;
  bool create = false;
};

Result<int> revoke(const RevokeFlags& flags) {
  MIZAN_TRY(key, read_issuer_key(flags.key));
  const uint64_t now = now_seconds();
  cred::StatusList list(flags.uri, kStatusEntries);
  if (!flags.create) {
    MIZAN_TRY(token, read_text(flags.list));
    // An own list counts though its time is over: it is about to be signed anew.
    MIZAN_TRY(read, cred::StatusList::parse(token, flags.uri, key.public_key(), 0));
    list = std::move(read);
    MIZAN_CHECK(list.revoke(flags.index));
  }
  const std::string token = list.sign(key, now, now + flags.days * kDaySeconds) + "\n";
  MIZAN_CHECK(write_private_file(flags.list, as_bytes(token)));
  return kExitDone;
}

}  // namespace

void add_credential(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("credential", "Issue, show and verify proofs of eligibility");
  group->require_subcommand(1);

  auto* issuer = group->add_subcommand("issuer", "Make an issuer's key; prints its public JWK");
  auto path = std::make_shared<std::string>();
  issuer->add_option("FILE", *path, "Where the secret key is written (PEM, mode 0600)")->required();
  on_run(*issuer, context, [path] { return make_issuer(*path); });

  auto* holder = group->add_subcommand("holder", "Print your key's public JWK, for an issuer");
  on_run(*holder, context, [&context] { return show_holder(context); });

  auto* issue_command = group->add_subcommand("issue", "Vouch for claims about a holder");
  auto issue_flags = std::make_shared<IssueFlags>();
  issue_command->add_option("--issuer-key", issue_flags->key, "The issuer's PEM")->required();
  issue_command->add_option("--issuer", issue_flags->issuer, "The issuer's URI")->required();
  issue_command->add_option("--holder", issue_flags->holder, "File with the holder's JWK")
      ->required();
  issue_command->add_option("--claims", issue_flags->claims, "File with a JSON object of claims")
      ->required();
  issue_command->add_option("--days", issue_flags->days, "How long it is valid")
      ->check(CLI::Range(1, 366))
      ->capture_default_str();
  auto* uri = issue_command->add_option("--status-list", issue_flags->status_list,
                                        "URI of the list that can revoke it");
  issue_command->add_option("--status-index", issue_flags->status_index, "Its place there")
      ->needs(uri);
  issue_command->add_option("--out", issue_flags->out, "File to write; else it is printed");
  on_run(*issue_command, context, [issue_flags] { return issue(*issue_flags); });

  auto* present_command = group->add_subcommand("present", "Show some of a credential's claims");
  auto present_flags = std::make_shared<PresentFlags>();
  present_command->add_option("CREDENTIAL", present_flags->credential, "File of the credential")
      ->required();
  present_command->add_option("--show", present_flags->show, "Claims to show")->delimiter(',');
  present_command->add_option("--audience", present_flags->audience, "Who it is shown to")
      ->required();
  present_command->add_option("--nonce", present_flags->nonce, "The verifier's challenge")
      ->required();
  present_command->add_option("--out", present_flags->out, "File to write; else it is printed");
  on_run(*present_command, context,
         [&context, present_flags] { return present(context, *present_flags); });

  auto* verify_command = group->add_subcommand("verify", "Check a presentation; prints its claims");
  auto verify_flags = std::make_shared<VerifyFlags>();
  verify_command->add_option("PRESENTATION", verify_flags->presentation, "File to check")
      ->required();
  verify_command
      ->add_option("--issuers", verify_flags->issuers, "File: accepted issuers' URIs and JWKs")
      ->required();
  verify_command->add_option("--audience", verify_flags->audience, "Who it was shown to")
      ->required();
  verify_command->add_option("--nonce", verify_flags->nonce, "The challenge it answers")
      ->required();
  verify_command->add_option("--status-list", verify_flags->status_list,
                             "File of the issuer's status list");
  verify_command->add_option("--time", verify_flags->time,
                             "Seconds since 1970 to judge at, instead of now");
  on_run(*verify_command, context, [verify_flags] { return verify(*verify_flags); });

  auto* revoke_command = group->add_subcommand("revoke", "Revoke a credential in a status list");
  auto revoke_flags = std::make_shared<RevokeFlags>();
  revoke_command->add_option("LIST", revoke_flags->list, "File of the status list")->required();
  revoke_command->add_option("--issuer-key", revoke_flags->key, "The issuer's PEM")->required();
  revoke_command->add_option("--uri", revoke_flags->uri, "The list's URI")->required();
  auto* index = revoke_command->add_option("--index", revoke_flags->index, "The credential's place")
                    ->check(CLI::Range(uint64_t{0}, kStatusEntries - 1));
  auto* create = revoke_command->add_flag("--new", revoke_flags->create, "Start an empty list");
  create->excludes(index);
  revoke_command->add_option("--days", revoke_flags->days, "How long the list is valid")
      ->capture_default_str();
  on_run(*revoke_command, context, [revoke_flags] { return revoke(*revoke_flags); });

  add_credential_submit(*group, context);
}

}  // namespace mizan::cli
