// mizan account deposit, withdraw, chain: money in the escrow contract.
// SPDX-License-Identifier: Apache-2.0
#include "mizan/account_chain.hpp"

#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "mizan/commands.hpp"
#include "mizan/keys.hpp"
#include "mizan/print.hpp"
#include "settlement/escrow_calls.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

namespace escrow = settlement::escrow;
namespace token = settlement::token;

Result<int> tell_sent(const Context& context, const ChainSettings& chain, ChainSession& session,
                      const std::string& done) {
  MIZAN_TRY(code, tell_account(context, chain, session.reader(), session.key().address(), done));
  std::fflush(stdout);
  MIZAN_CHECK(session.told());
  return code;
}

Result<int> show(const Context& context) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(entry, choose_key(context));
  MIZAN_TRY(reader, ChainReader::open(chain.node, chain.chain_id));
  MIZAN_CHECK(reader.node().head());
  return tell_account(context, chain, reader, entry.address, "");
}

Result<int> mint(const Context& context, const std::string& usd) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(amount, parse_usd(usd));
  MIZAN_TRY(units, units_from(amount, chain.decimals));
  if (chain.chain_id != exchange::kDevelopmentChain)
    return fail(ErrorCode::forbidden, "only the test token of a development chain can be made");
  MIZAN_TRY(session, ChainSession::open(context, chain));
  const Address own = session->key().address();
  MIZAN_CHECK(session->send("", {chain.token, 0, token::mint(own, units)}));
  return tell_sent(context, chain, *session, "made " + format_usd(amount));
}

Result<int> deposit(const Context& context, const std::string& usd) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(amount, parse_usd(usd));
  MIZAN_TRY(units, units_from(amount, chain.decimals));
  MIZAN_TRY(session, ChainSession::open(context, chain));
  const Address own = session->key().address();
  MIZAN_CHECK(session->reader().node().head());
  MIZAN_TRY(outside, session->reader().number(chain.token, token::balance_of(own)));
  if (outside < units)
    return fail(ErrorCode::insufficient_funds,
                fmt::format("{} has {} of the token", to_checksum(own),
                            format_units(outside, chain.decimals)));
  MIZAN_TRY(allowed, session->reader().number(chain.token, token::allowance(own, chain.contract)));
  // The best-known dollar token lets an allowance be changed to and from nothing alone.
  if (allowed < units && allowed != 0)
    MIZAN_CHECK(session->send_again({chain.token, 0, token::approve(chain.contract, 0)}));
  if (allowed < units)
    MIZAN_CHECK(session->send_again({chain.token, 0, token::approve(chain.contract, units)}));
  MIZAN_CHECK(session->send("", {chain.contract, 0, escrow::deposit(units)}));
  return tell_sent(context, chain, *session, "deposited " + format_usd(amount));
}

Result<int> withdraw(const Context& context, const std::string& usd, const std::string& to) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(amount, parse_usd(usd));
  MIZAN_TRY(units, units_from(amount, chain.decimals));
  Address receiver;
  if (!to.empty()) {
    MIZAN_TRY(named, parse_address(to));
    if (named.is_zero() || named == chain.token || named == chain.contract)
      return bad_field("--to", "is nobody's address: what goes there is lost");
    receiver = named;
  }
  MIZAN_TRY(session, ChainSession::open(context, chain));
  if (to.empty()) receiver = session->key().address();
  MIZAN_CHECK(session->send("", {chain.contract, 0, escrow::withdraw(units, receiver)}));
  return tell_sent(context, chain, *session, "withdrew " + format_usd(amount));
}

}  // namespace

Result<int> tell_account(const Context& context, const ChainSettings& chain, ChainReader& reader,
                         const Address& account, const std::string& done) {
  MIZAN_TRY(balance, reader.number(chain.contract, escrow::balance_of(account)));
  MIZAN_TRY(outside, reader.number(chain.token, token::balance_of(account)));
  if (context.json) {
    print_json(json::object{{"account", to_json(account)},
                            {"balance", mizan::to_string(balance)},
                            {"tokens", mizan::to_string(outside)},
                            {"decimals", chain.decimals}});
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  if (!done.empty()) terminal.write(done + "\n");
  terminal.write(
      render_pairs(terminal, {{"account", {to_checksum(account), Style::bold}},
                              {"in the contract", {format_units(balance, chain.decimals)}},
                              {"outside of it", {format_units(outside, chain.decimals)}}}));
  return kExitDone;
}

void add_chain_account(CLI::App& account, Context& context) {
  static std::string usd, to;
  static ToSign sign;
  const auto add_sign = [](CLI::App& command) {
    command.add_option("--sign", sign.file,
                       "Only sign it, into this file: another sends it (`mizan account relay`)");
  };
  auto& chain = *account.add_subcommand("chain", "What you have in the escrow contract");
  on_run(chain, context, [&context] { return show(context); });

  auto& in = *account.add_subcommand("deposit", "Pay the stablecoin into the escrow contract");
  in.add_option("usd", usd, "How much, e.g. 10 or 0.25")->required();
  add_sign(in);
  in.add_flag("--authorization", sign.authorization,
              "Sign by ERC-3009, for a token without permits (ERC-2612)");
  on_run(in, context, [&context] {
    return sign.file.empty() ? deposit(context, usd) : sign_deposit(context, usd, sign);
  });

  auto& out = *account.add_subcommand("withdraw", "Take it out of the escrow contract");
  out.add_option("usd", usd, "How much")->required();
  out.add_option("--to", to, "Another address than yours");
  add_sign(out);
  out.add_option("--relay-fee", sign.relay_fee, "USD that its sender may take of the amount");
  on_run(out, context, [&context]() -> Result<int> {
    if (sign.file.empty()) return withdraw(context, usd, to);
    if (!to.empty())
      return fail(ErrorCode::invalid_argument,
                  "a signed withdrawal goes to its owner: leave out --to");
    return sign_withdrawal(context, usd, sign);
  });

  auto& make = *account.add_subcommand("mint", "Make test tokens (development chain)");
  make.add_option("usd", usd, "How much")->required();
  on_run(make, context, [&context] { return mint(context, usd); });
  add_relayed_account(account, context);
}

}  // namespace mizan::cli
