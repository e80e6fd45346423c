#include "crypto/address.hpp"
#include "job/job_file.hpp"
#include "job/yaml_map.hpp"
#include "service/program.hpp"
#include "settlement/outbox.hpp"

#include <charconv>

namespace mizan::service {
namespace {

using job::fault_at;
using job::YamlMap;

constexpr size_t kMostRuleFolders = 16;

const std::vector<std::string_view> kKeys = {"listen",
                                             "tls",
                                             "state_dir",
                                             "operator",
                                             "fee_bps",
                                             "voucher_interval",
                                             "readiness",
                                             "passphrase_file",
                                             "snapshot_every",
                                             "prune",
                                             "log_mb",
                                             "logs_gb",
                                             "commands_per_second",
                                             "artifact_gb",
                                             "artifact_account_gb",
                                             "artifact_total_gb",
                                             "max_connections",
                                             "max_connections_per_address",
                                             "verify_threads",
                                             "rules",
                                             "development_issuer",
                                             "status_lists",
                                             "settlement",
                                             "chain"};

const std::vector<std::string_view> kChainKeys = {"node",       "chain_id",  "contract",    "depth",
                                                  "from_block", "least_gas", "least_escrow"};

/// The number under `key`, put through `set` if it is there.
template <class Set>
Result<void> number(const YamlMap& map, const std::string& key, uint64_t least, uint64_t most,
                    Set set) {
  MIZAN_TRY(text, map.text(key));
  if (!text) return {};
  const std::string_view digits = *text;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || value < least || value > most)
    return fault_at(
        key, map.at(key),
        "must be a whole number between " + std::to_string(least) + " and " + std::to_string(most));
  set(value);
  return {};
}

Result<void> seconds(const YamlMap& map, const std::string& key, uint32_t least, uint32_t& out) {
  MIZAN_TRY(text, map.text(key));
  if (!text) return {};
  auto parsed = job::parse_duration(*text, key);
  if (!parsed) return fail(job::with_line(std::move(parsed).error(), map.at(key)));
  if (*parsed < least || *parsed > 3600)
    return fault_at(key, map.at(key), "must be between " + std::to_string(least) + "s and 1h");
  out = static_cast<uint32_t>(*parsed);
  return {};
}

Result<void> read_sizes(const YamlMap& map, ExchangeConfig& config) {
  constexpr uint64_t kMost = 1'000'000;
  ArtifactLimits& artifacts = config.service.artifacts;
  MIZAN_CHECK(
      number(map, "log_mb", 1, kMost, [&](uint64_t n) { config.service.log_bytes_max = n << 20; }));
  MIZAN_CHECK(number(map, "logs_gb", 1, kMost,
                     [&](uint64_t n) { config.service.logs_bytes_max = n << 30; }));
  MIZAN_CHECK(number(map, "commands_per_second", 1, kMost, [&](uint64_t n) {
    config.service.commands = {static_cast<uint32_t>(10 * n), static_cast<uint32_t>(n)};
    // Who may order more often may also ask more often.
    config.server.requests_per_second_per_address =
        std::max(config.server.requests_per_second_per_address, static_cast<uint32_t>(5 * n));
  }));
  MIZAN_CHECK(
      number(map, "artifact_gb", 1, kMost, [&](uint64_t n) { artifacts.each_bytes = n << 30; }));
  MIZAN_CHECK(number(map, "artifact_account_gb", 1, kMost,
                     [&](uint64_t n) { artifacts.account_bytes = n << 30; }));
  MIZAN_CHECK(number(map, "artifact_total_gb", 1, kMost,
                     [&](uint64_t n) { artifacts.total_bytes = n << 30; }));
  MIZAN_CHECK(number(map, "max_connections", 1, kMost,
                     [&](uint64_t n) { config.server.max_connections = n; }));
  MIZAN_CHECK(number(map, "max_connections_per_address", 1, kMost,
                     [&](uint64_t n) { config.server.max_connections_per_address = n; }));
  return number(map, "verify_threads", 1, 256, [&](uint64_t n) { config.verify_threads = n; });
}

Result<ChainConfig> read_chain(const YAML::Node& node) {
  MIZAN_TRY(map, YamlMap::open(node, "chain"));
  MIZAN_CHECK(map.check_keys(kChainKeys, {}));
  ChainConfig chain;
  for (const char* key : {"node", "chain_id", "contract"})
    if (!map.has(key)) return fault_at(map.field(key), node, "is missing");
  MIZAN_TRY(url, map.text("node"));
  chain.node = *url;
  MIZAN_TRY(contract, map.text("contract"));
  auto address = parse_address(*contract);
  if (!address) return fault_at("chain.contract", map.at("contract"), address.error().message);
  chain.contract = *address;
  MIZAN_CHECK(
      number(map, "chain_id", 1, ~uint64_t{0} >> 1, [&](uint64_t n) { chain.chain_id = n; }));
  MIZAN_CHECK(
      number(map, "depth", 0, settlement::kMostDepth, [&](uint64_t n) { chain.depth = n; }));
  MIZAN_CHECK(
      number(map, "from_block", 0, ~uint64_t{0} >> 1, [&](uint64_t n) { chain.from_block = n; }));
  MIZAN_CHECK(number(map, "least_gas", 0, 1'000'000, [&](uint64_t n) { chain.least_gas = n; }));
  MIZAN_TRY(least, map.text("least_escrow"));
  if (least) {
    auto money = parse_usd(*least);
    if (!money)
      return fault_at("chain.least_escrow", map.at("least_escrow"), money.error().message);
    chain.least_escrow = *money;
  }
  return chain;
}

/// `settlement: evm` and `chain`, or neither.
Result<void> read_settlement(const YamlMap& map, const YAML::Node& document,
                             ExchangeConfig& config) {
  MIZAN_TRY(kind, map.text("settlement"));
  if (kind && *kind != "credits" && *kind != "evm")
    return fault_at("settlement", map.at("settlement"), "must be credits or evm");
  const bool evm = kind == "evm";
  if (!evm && map.has("chain"))
    return fault_at("chain", map.at("chain"), "is for \"settlement: evm\"");
  if (!evm) return {};
  if (!map.has("chain"))
    return fault_at("chain", document,
                    "is missing; \"settlement: evm\" needs node, chain_id and contract in it");
  MIZAN_TRY(chain, read_chain(map.at("chain")));
  config.service.chain = chain;
  return {};
}

}  // namespace

Result<void> read_listen(std::string_view text, net::ServerOptions& server) {
  const auto bad = [&] {
    return fail(Error{
        ErrorCode::invalid_argument,
        "listen: write an IP address and a port, like 127.0.0.1:8080",
        {}}.with("field", "listen"));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  uint16_t value = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
  if (host.empty() || port.empty() || error != std::errc{} || end != port.data() + port.size())
    return bad();
  server.address = host;
  server.port = value;
  return {};
}

Result<ExchangeConfig> parse_exchange_config(std::string_view text,
                                             const std::filesystem::path& folder) {
  YAML::Node document;
  try {
    document = YAML::Load(std::string(text));
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::invalid_argument,
                "the configuration is not YAML: " + std::string(error.what()));
  }
  MIZAN_TRY(map, YamlMap::open(document, ""));
  MIZAN_CHECK(map.check_keys(kKeys, {}));
  const auto path = [&folder](const std::string& written) {
    return (folder / written).lexically_normal();
  };
  ExchangeConfig config;
  MIZAN_TRY(listen, map.text("listen"));
  if (auto read = read_listen(listen.value_or("127.0.0.1:8080"), config.server); !read)
    return fail(job::with_line(std::move(read).error(), map.at("listen")));
  if (map.has("tls")) {
    MIZAN_TRY(tls, YamlMap::open(map.at("tls"), "tls"));
    MIZAN_CHECK(tls.check_keys({"certificate", "key"}, {}));
    MIZAN_TRY(certificate, tls.text("certificate"));
    MIZAN_TRY(key, tls.text("key"));
    if (!certificate || !key)
      return fault_at("tls", map.at("tls"), "needs both: {certificate: FILE, key: FILE}");
    config.server.tls = {path(*certificate), path(*key)};
  }
  MIZAN_TRY(state, map.text("state_dir"));
  if (!state || state->empty())
    return fault_at("state_dir", document, "is missing; write like \"state_dir: /var/lib/mizan\"");
  config.service.state = path(*state);
  MIZAN_TRY(operator_text, map.text("operator"));
  if (!operator_text)
    return fault_at("operator", document, "is missing; write an address, like \"0x...\" in quotes");
  auto operator_address = parse_address(*operator_text);
  if (!operator_address)
    return fault_at("operator", map.at("operator"), operator_address.error().message);
  config.service.operator_ = *operator_address;
  MIZAN_CHECK(number(map, "fee_bps", 0, 10'000,
                     [&](uint64_t n) { config.service.fee_bps = static_cast<uint16_t>(n); }));
  MIZAN_CHECK(seconds(map, "voucher_interval", 1, config.service.voucher_interval_s));
  MIZAN_CHECK(seconds(map, "readiness", 0, config.service.readiness_s));
  MIZAN_TRY(passphrase, map.text("passphrase_file"));
  if (passphrase) config.passphrase_file = path(*passphrase);
  MIZAN_CHECK(number(map, "snapshot_every", 1, uint64_t{1} << 40,
                     [&](uint64_t n) { config.service.sequencer.snapshot_every = n; }));
  MIZAN_TRY(prune, map.text("prune"));
  if (prune && *prune != "true" && *prune != "false")
    return fault_at("prune", map.at("prune"), "must be true or false");
  config.service.sequencer.prune = prune == "true";
  MIZAN_TRY(rules, map.list("rules", kMostRuleFolders));
  for (const std::string& name : rules)
    config.rules.push_back(name == kNoRules ? std::filesystem::path(name) : path(name));
  MIZAN_TRY(issuer, map.text("development_issuer"));
  if (issuer)
    config.development_issuer = issuer->starts_with('{') ? *issuer : path(*issuer).string();
  MIZAN_TRY(lists, map.text("status_lists"));
  if (lists) config.service.status_lists = path(*lists);
  MIZAN_CHECK(read_sizes(map, config));
  MIZAN_CHECK(read_settlement(map, document, config));
  return config;
}

}  // namespace mizan::service
