// mizan account: what an account has; the operator's grants.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/address.hpp"
#include "crypto/random.hpp"
#include "mizan/commands.hpp"
#include "mizan/json_view.hpp"
#include "mizan/print.hpp"
#include "mizan/session.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

constexpr uint64_t kGrantValidSeconds = 300;

Result<int> show(const Context& context, const std::string& who) {
  MIZAN_TRY(session, Session::open(context, Access::requests));
  Address address = session.account();
  if (!who.empty()) {
    MIZAN_TRY(parsed, parse_address(who));
    address = parsed;
  }
  MIZAN_TRY(account, session.get("/v1/accounts/" + to_checksum(address)));
  if (context.json) {
    print_json(account);
    return kExitDone;
  }
  const auto usd = [&](const char* name) {
    return Cell{format_usd(Money{member_or<u128>(account, name)})};
  };
  const Terminal terminal(stdout, context.no_color);
  terminal.write(render_pairs(
      terminal, {{"account", {to_checksum(address), Style::bold}},
                 {"balance", usd("balance")},
                 {"in escrow", usd("escrowed")},
                 {"spent", usd("spent")},
                 {"earned", usd("earned")},
                 {"open orders", {std::to_string(member_or<uint64_t>(account, "openOrders"))}}}));
  return kExitDone;
}

Result<int> grant(const Context& context, const std::string& to_text, const std::string& usd) {
  MIZAN_TRY(to, parse_address(to_text));
  MIZAN_TRY(amount, parse_usd(usd));
  MIZAN_TRY(session, Session::open(context, Access::orders));
  if (session.account() != session.info().operator_)
    return fail(ErrorCode::forbidden,
                fmt::format("only the operator {} grants; you act as {}",
                            to_checksum(session.info().operator_), to_checksum(session.account())));
  const eip712::Grant message{.to = to,
                              .amount = amount.nano,
                              .nonce = random_u64(),
                              .deadline = session.exchange_time_ms() / 1000 + kGrantValidSeconds};
  const Signature signature = eip712::sign(session.domain(), message, session.key());
  const json::object body{{"grant", to_json(message)}, {"signature", to_json(signature)}};
  MIZAN_TRY(answer, session.post("/v1/grants", body, hex(random_bytes(16))));
  if (context.json)
    print_json(answer);
  else
    Terminal(stdout, context.no_color)
        .write(fmt::format("granted {} to {}\n", format_usd(amount), to_checksum(to)));
  return kExitDone;
}

}  // namespace

void add_account(CLI::App& app, Context& context) {
  auto& account =
      *app.add_subcommand("account", "Balances; grants by the operator; money on a chain");
  static std::string who, to, usd;
  account.require_subcommand(0, 1);
  on_run(account, context, [&context] { return show(context, ""); });

  auto& show_command = *account.add_subcommand("show", "What an account has");
  show_command.add_option("address", who, "Another's (the operator may); yours by default");
  on_run(show_command, context, [&context] { return show(context, who); });

  auto& grant_command = *account.add_subcommand("grant", "Credit an account (operator's key)");
  grant_command.add_option("to", to, "The account's address")->required();
  grant_command.add_option("usd", usd, "How much, e.g. 10 or 0.25")->required();
  on_run(grant_command, context, [&context] { return grant(context, to, usd); });
  add_chain_account(account, context);
}

}  // namespace mizan::cli
