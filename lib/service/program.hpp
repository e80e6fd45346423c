// The exchange as a program: its configuration, its threads, its beginning and its end.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/server.hpp"
#include "service/context.hpp"

#include <functional>

namespace mizan::service {

/// exchange.yaml:
///
///     listen: 127.0.0.1:8080        # IP address and port; port 0 takes any free one
///     tls: {certificate: server.pem, key: server.key}    # PEM; key 0600. Needed off loopback
///     state_dir: /var/lib/mizan     # keys/, journal/, rulesets/, logs/, artifacts/
///     operator: "0x..."             # who grants balances and sees every lease
///     fee_bps: 200                  # of what providers are paid, in hundredths of a per cent
///     voucher_interval: 10s
///     readiness: 60s                # staging is billed this long at most
///     passphrase_file: /etc/mizan/passphrase    # mode 0600; made in keys/ if absent
///     snapshot_every: 500000        # commands
///     prune: false                  # forget the journal below the snapshot
///     log_mb: 256                   # of one lease; logs_gb: 16 of all
///     commands_per_second: 200      # of one address; ten seconds of them at once
///     artifact_gb: 4                # one artifact; artifact_account_gb and artifact_total_gb too
///     max_connections: 20000        # and max_connections_per_address
///     verify_threads: 2
///     rules: [/usr/share/mizan/policy, own]   # folders; `none`: nothing is assessed
///     development_issuer: issuer.jwk          # for demonstrations: a JWK or its file
///     status_lists: /var/lib/mizan/status     # issuers' lists, kept fresh by the operator
///     settlement: evm                         # or credits, which is what it is without it
///     chain: {node: "http://127.0.0.1:8545", chain_id: 31337, contract: "0x...", depth: 2,
///     from_block: 0, least_gas: 20, least_escrow: 0.05}
struct ExchangeConfig {
  ServiceConfig service{};  ///< with the state folder
  net::ServerOptions server{};
  std::filesystem::path passphrase_file{};
  size_t verify_threads = 0;                   ///< 0: one a core, two at least
  std::vector<std::filesystem::path> rules{};  ///< folders, or kNoRules alone; none: the default's
  std::string development_issuer{};            ///< a JWK, or a file of one
};

/// Open files that are not for strangers: RocksDB's, uploads, downloads, logs.
inline constexpr uint64_t kOwnFiles = 2048;

inline constexpr std::string_view kNoRules = "none";
/// The URI by which the issuer of --development-issuer is known.
inline constexpr std::string_view kDevelopmentIssuer = "urn:mizan:development";

/// Reads the text of exchange.yaml. Relative paths are taken from `folder`, the file's own. Errors
/// name key and line.
Result<ExchangeConfig> parse_exchange_config(std::string_view text,
                                             const std::filesystem::path& folder);
/// "127.0.0.1:8080" or "[::1]:8080" into the server's address and port.
Result<void> read_listen(std::string_view text, net::ServerOptions& server);

/// What is told once the exchange serves.
struct Ready {
  std::string url;
  Hash32 id;
  Address identity;
};

/// The exchange's accounts, of which a contract names the clearance key.
struct ExchangeAccounts {
  Hash32 id;
  Address identity;
  Address meter;
  Address clearance;
  Address gas;  ///< pays for transactions on a chain, and needs its coin there
};
/// Makes the keys of a state folder, where there are none yet.
Result<ExchangeAccounts> make_exchange_keys(const ExchangeConfig& config);

/// Another clearance key beside the one in use: its address, for the contract's guardian to
/// propose. The same one each time, until it is used.
Result<Address> make_next_clearance_key(const ExchangeConfig& config);
/// Puts that one in the place of the one in use, which is kept under another name; the exchange
/// signs with it from its next start on.
Result<Address> use_next_clearance_key(const ExchangeConfig& config);

/// Every .json file of the folders as one rule set: a rule can only add findings, so that a later
/// folder makes it stricter. invalid_argument says what does not load, and where.
Result<std::shared_ptr<const policy::RuleSet>> load_rules(
    const std::vector<std::filesystem::path>& folders);
/// The issuers of a JWK, or of a file that holds one.
Result<std::map<std::string, std::string>> read_development_issuer(const std::string& jwk_or_file);

/// Runs until SIGTERM or SIGINT, then ends in good order and writes the state's hash to
/// last_state.json. An error if it could not start, or when the journal failed on the way: nothing
/// that was not durable had been answered.
Result<void> run_exchange(const ExchangeConfig& config, const Log::Sink& log,
                          const std::function<void(const Ready&)>& on_ready);

}  // namespace mizan::service
