// mizan exchange: the market, its API and its settlement in one process.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/address.hpp"
#include "mizan/chain_settings.hpp"
#include "mizan/commands.hpp"
#include "mizan/files.hpp"
#include "mizan/print.hpp"
#include "mizan/rules.hpp"
#include "service/program.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mizan::cli {
namespace {

struct Options {
  fs::path config;
  std::string listen;
  net::TlsFiles tls;
  fs::path state_dir;
  std::string operator_address;
  std::optional<uint16_t> fee_bps;
  std::vector<std::string> rules;
  std::string development_issuer;
  fs::path status_lists;
  fs::path chain;
  bool clock_is_right = false;
  bool keys = false;
  bool new_clearance_key = false;
  bool use_new_clearance_key = false;
};

/// The rule set to begin with, and who else vouches.
Result<void> read_policy(const Context& context, service::ExchangeConfig& config) {
  if (config.rules.empty()) config.rules = {shipped_rules(context)};
  const bool none =
      std::find(config.rules.begin(), config.rules.end(), service::kNoRules) != config.rules.end();
  if (none && config.rules.size() > 1)
    return fail(ErrorCode::invalid_argument, "--rules: none stands alone, without folders");
  if (!none) {
    MIZAN_TRY(rules, service::load_rules(config.rules));
    config.service.rules = std::move(rules);
  }
  if (config.development_issuer.empty()) return {};
  MIZAN_TRY(issuers, service::read_development_issuer(config.development_issuer));
  config.service.development_issuers = std::move(issuers);
  return {};
}

/// The file's configuration with the flags over it; without a file, the flags alone.
Result<service::ExchangeConfig> read_config(const Context& context, const Options& options) {
  constexpr size_t kMostBytes = size_t{64} << 10;
  service::ExchangeConfig config;
  if (!options.config.empty()) {
    MIZAN_TRY(text, read_small_file(options.config, kMostBytes));
    std::error_code ignored;
    auto parsed =
        service::parse_exchange_config(text, fs::absolute(options.config, ignored).parent_path());
    if (!parsed) {
      Error error = std::move(parsed).error();
      error.message = options.config.string() + ": " + error.message;
      return fail(std::move(error));
    }
    config = *std::move(parsed);
  }
  if (!options.listen.empty()) MIZAN_CHECK(service::read_listen(options.listen, config.server));
  if (options.tls.given()) config.server.tls = options.tls;
  if (!options.state_dir.empty()) config.service.state = options.state_dir;
  if (!options.operator_address.empty()) {
    MIZAN_TRY(address, parse_address(options.operator_address));
    config.service.operator_ = address;
  }
  if (options.fee_bps) config.service.fee_bps = *options.fee_bps;
  if (!options.rules.empty()) config.rules.assign(options.rules.begin(), options.rules.end());
  if (!options.development_issuer.empty()) config.development_issuer = options.development_issuer;
  config.service.clock_is_right = options.clock_is_right;
  if (!options.status_lists.empty()) config.service.status_lists = options.status_lists;
  if (!options.chain.empty()) {
    MIZAN_TRY(chain, load_chain(options.chain));
    if (!config.service.chain) config.service.chain.emplace();
    service::ChainConfig& own = *config.service.chain;
    own.node = chain.node;
    own.chain_id = chain.chain_id;
    own.contract = chain.contract;
    own.depth = chain.depth;
    own.from_block = chain.from_block;
  }
  if (config.service.state.empty() || config.service.operator_.is_zero())
    return fail(ErrorCode::invalid_argument,
                "give --config FILE, or at least --state-dir FOLDER and --operator ADDRESS");
  MIZAN_CHECK(read_policy(context, config));
  return config;
}

/// A contract names the exchange's clearance key: so the keys come before the contract, and the
/// contract before the exchange.
Result<int> tell_keys(const Context& context, const service::ExchangeConfig& config) {
  MIZAN_TRY(accounts, service::make_exchange_keys(config));
  if (context.json) {
    print_json(boost::json::object{{"id", hex0x(accounts.id.view())},
                                   {"identity", to_checksum(accounts.identity)},
                                   {"meter", to_checksum(accounts.meter)},
                                   {"clearance", to_checksum(accounts.clearance)},
                                   {"gas", to_checksum(accounts.gas)}});
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  terminal.write(render_pairs(terminal, {{"id", {hex0x(accounts.id.view()), Style::bold}},
                                         {"identity", {to_checksum(accounts.identity)}},
                                         {"meter", {to_checksum(accounts.meter)}},
                                         {"clearance", {to_checksum(accounts.clearance)}},
                                         {"gas", {to_checksum(accounts.gas)}}}));
  return kExitDone;
}

/// In two steps: the guardian proposes the new key while the exchange goes on with the old one, or
/// stands still.
Result<int> change_clearance_key(const Context& context, const service::ExchangeConfig& config,
                                 bool use) {
  MIZAN_TRY(address, use ? service::use_next_clearance_key(config)
                         : service::make_next_clearance_key(config));
  if (context.json) {
    print_json(boost::json::object{{"clearance", to_checksum(address)}, {"used", use}});
    return kExitDone;
  }
  const std::string text = to_checksum(address);
  const Terminal terminal(stdout, context.no_color);
  terminal.write(
      use ? fmt::format(
                "the clearance key is {} from the exchange's next start on; leases open once "
                "the contract has it\n",
                text)
          : fmt::format("the next clearance key is {0}: the guardian runs `mizan contract "
                        "propose-clearance-key {0}`; stop the exchange, run it once with "
                        "--use-new-clearance-key, and start it again\n",
                        text));
  return kExitDone;
}

Result<int> exchange(const Context& context, const Options& options) {
  MIZAN_TRY(config, read_config(context, options));
  if (options.new_clearance_key || options.use_new_clearance_key)
    return change_clearance_key(context, config, options.use_new_clearance_key);
  if (options.keys) return tell_keys(context, config);
  MIZAN_CHECK(service::run_exchange(
      config, service::stderr_sink(), [&context](const service::Ready& ready) {
        const Terminal terminal(stdout, context.no_color);
        if (context.json)
          print_json(boost::json::object{{"url", ready.url},
                                         {"id", hex0x(ready.id.view())},
                                         {"identity", to_checksum(ready.identity)}});
        else
          terminal.write(fmt::format("mizan exchange {} ready at {}\n",
                                     hex0x(ready.id.view()).substr(0, 10), ready.url));
        std::fflush(stdout);
      }));
  return kExitDone;
}

}  // namespace

void add_exchange(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("exchange", "Run an exchange: market, API and settlement");
  static Options options;
  command.add_option("--config", options.config, "exchange.yaml");
  command.add_option("--listen", options.listen, "IP address and port; port 0 takes any free one");
  command.add_option("--tls-certificate", options.tls.certificate,
                     "PEM file; needed to listen on an address that other machines reach");
  command.add_option("--tls-key", options.tls.key, "PEM file of mode 0600, with its key");
  command.add_option("--state-dir", options.state_dir, "Keys, journal, logs and artifacts");
  command.add_option("--operator", options.operator_address, "Who grants balances");
  command.add_option("--fee-bps", options.fee_bps, "Fee in hundredths of a per cent")
      ->check(CLI::Range(0, 10'000));
  command
      .add_option(
          "--rules", options.rules,
          "Folder of rule files; repeat it to add an operator's own. `none`: no rules, every "
          "deal is allowed. Default: those that came with this program")
      ->allow_extra_args(false);
  command.add_option("--development-issuer", options.development_issuer,
                     "JWK, or a file of one, of an issuer that vouches in demonstrations only");
  command.add_option("--status-lists", options.status_lists,
                     "Folder of issuers' status lists that you keep fresh");
  command.add_option("--chain", options.chain,
                     "Settle by the contract of this home (`mizan contract join`): settlement evm");
  command.add_flag("--clock-is-right", options.clock_is_right,
                   "Believe the machine's clock though the exchange was away for a week or more");
  command.add_flag("--keys", options.keys, "Make the keys, tell their addresses, and end");
  auto* fresh = command.add_flag(
      "--new-clearance-key", options.new_clearance_key,
      "Make another clearance key beside the one in use, tell its address, and end");
  command
      .add_flag("--use-new-clearance-key", options.use_new_clearance_key,
                "Put that one in the place of the one in use, and end")
      ->excludes(fresh);
  on_run(command, context, [&context] { return exchange(context, options); });
}

}  // namespace mizan::cli
