#include "provider/config.hpp"

#include "crypto/address.hpp"
#include "job/job_file.hpp"
#include "job/yaml_map.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace mizan::provider {
namespace {

using job::fault_at;
using job::YamlMap;

const std::vector<std::string_view> kKeys = {"exchange",  "ca",      "key",       "passphrase_file",
                                             "state_dir", "rate",    "cores",     "memory_gb",
                                             "disk_gb",   "country", "min_lease", "max_lease",
                                             "images",    "pool",    "payees",    "runtime"};

Result<std::string> required(const YamlMap& map, const YAML::Node& document, const std::string& key,
                             const std::string& example) {
  MIZAN_TRY(value, map.text(key));
  if (value && !value->empty()) return *value;
  return fault_at(key, document, "is missing; write like \"" + key + ": " + example + "\"");
}

Result<std::optional<uint64_t>> number(const YamlMap& map, const std::string& key, uint64_t least,
                                       uint64_t most) {
  MIZAN_TRY(text, map.text(key));
  if (!text) return std::nullopt;
  const std::string_view digits = *text;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || value < least || value > most)
    return fault_at(
        map.field(key), map.at(key),
        "must be a whole number between " + std::to_string(least) + " and " + std::to_string(most));
  return value;
}

Result<void> read_duration(const YamlMap& map, const std::string& key, uint64_t& seconds) {
  MIZAN_TRY(text, map.text(key));
  if (!text) return {};
  auto parsed = job::parse_duration(*text, key);
  if (!parsed) return fail(job::with_line(std::move(parsed).error(), map.at(key)));
  seconds = *parsed;
  return {};
}

std::filesystem::path resolve(const std::string& text, const std::filesystem::path& folder) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread sets the environment
  const char* home = std::getenv("HOME");
  if (text.starts_with("~/") && home != nullptr)
    return std::filesystem::path(home) / text.substr(2);
  return (folder / text).lexically_normal();
}

Result<void> read_capacity(const YamlMap& map, ProviderConfig& config) {
  MIZAN_TRY(cores, number(map, "cores", 1, 4096));
  if (cores) config.cores = static_cast<uint32_t>(*cores);
  MIZAN_TRY(memory, number(map, "memory_gb", 1, job::kGigabytesMax));
  config.memory_gb = memory;
  MIZAN_TRY(disk, number(map, "disk_gb", 1, job::kGigabytesMax));
  config.disk_gb = disk;
  if (!map.has("pool")) return {};
  MIZAN_TRY(pool, YamlMap::open(map.at("pool"), "pool"));
  MIZAN_CHECK(pool.check_keys({"disks", "disk_gb"}, {}));
  MIZAN_TRY(disks, number(pool, "disks", 0, 64));
  config.pool_disks = static_cast<uint32_t>(disks.value_or(config.pool_disks));
  MIZAN_TRY(size, number(pool, "disk_gb", 1, 10'000));
  config.pool_disk_gb = size.value_or(config.pool_disk_gb);
  return {};
}

Result<void> read_images(const YamlMap& map, const std::filesystem::path& folder,
                         ProviderConfig& config) {
  if (!map.has("images")) return {};
  MIZAN_TRY(images, YamlMap::open(map.at("images"), "images"));
  for (const auto& [name, node] : images.members()) {
    if (auto good = job::check_name(name, "images." + name); !good)
      return fail(job::with_line(std::move(good).error(), node));
    MIZAN_TRY(path, images.text(name));
    config.images.emplace(name, resolve(*path, folder));
  }
  return {};
}

/// "25%", "12.5%", "0.01%" as hundredths of a percent; nothing for anything else.
std::optional<uint16_t> parse_share(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  const size_t point = text.find('.');
  std::string digits(text.substr(0, point));
  const size_t least = digits.size();
  if (point != std::string_view::npos) digits += text.substr(point + 1);
  const size_t decimals = digits.size() - least;
  if (least == 0 || least > 3 || decimals > 2 || (point != std::string_view::npos && !decimals))
    return std::nullopt;
  digits.append(2 - decimals, '0');
  uint16_t bps = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bps);
  if (error != std::errc{} || end != digits.data() + digits.size() || bps == 0 || bps > kWholeBps)
    return std::nullopt;
  return bps;
}

Result<ConfigPayee> read_payee(const YAML::Node& node, const std::string& path) {
  MIZAN_TRY(map, YamlMap::open(node, path));
  MIZAN_CHECK(map.check_keys({"to", "share", "role"}, {}));
  ConfigPayee out;
  MIZAN_TRY(to, map.text("to"));
  const auto address = parse_address(to.value_or(""));
  if (!address)
    return fault_at(path + ".to", map.has("to") ? map.at("to") : node,
                    to ? address.error().message : "is missing: who is paid, an address");
  out.payee.to = *address;
  MIZAN_TRY(share, map.text("share"));
  const auto bps = parse_share(share.value_or(""));
  if (!bps)
    return fault_at(path + ".share", map.has("share") ? map.at("share") : node,
                    "must be above 0% and at most 100%, with at most two decimals, like 12.5%");
  out.payee.bps = *bps;
  MIZAN_TRY(role, map.text("role"));
  out.role = role.value_or("");
  const std::vector<std::string_view> roles = {"",     "operator", "hardware_owner",
                                               "host", "investor", "broker"};
  if (std::find(roles.begin(), roles.end(), out.role) == roles.end())
    return fault_at(path + ".role", map.at("role"),
                    "must be operator, hardware_owner, host, investor or broker");
  return out;
}

Result<void> read_payees(const YamlMap& map, ProviderConfig& config) {
  if (!map.has("payees")) return {};
  const YAML::Node& list = map.at("payees");
  if (!list.IsSequence())
    return fault_at("payees", list, "must be a list: write like \"- {to: 0x..., share: 25%}\"");
  std::vector<Payee> payees;
  for (size_t i = 0; i < list.size() && i <= kMostPayees; ++i) {
    MIZAN_TRY(one, read_payee(list[i], "payees[" + std::to_string(i) + "]"));
    payees.push_back(one.payee);
    config.payees.push_back(std::move(one));
  }
  if (auto good = check_payees(payees, "payees"); !good)
    return fail(job::with_line(std::move(good).error(), list));
  return {};
}

Result<ProviderConfig> read_document(const YAML::Node& document,
                                     const std::filesystem::path& folder) {
  MIZAN_TRY(map, YamlMap::open(document, ""));
  MIZAN_CHECK(map.check_keys(kKeys, {}));
  ProviderConfig config;
  MIZAN_TRY(exchange, required(map, document, "exchange", "http://127.0.0.1:8080"));
  config.exchange = exchange;
  MIZAN_TRY(ca, map.text("ca"));
  if (ca) config.ca = resolve(*ca, folder);
  MIZAN_TRY(key, required(map, document, "key", "provider.json"));
  config.key = resolve(key, folder);
  MIZAN_TRY(state, required(map, document, "state_dir", "/var/lib/mizan-provider"));
  config.state_dir = std::filesystem::absolute(resolve(state, folder));
  MIZAN_TRY(passphrase, map.text("passphrase_file"));
  if (passphrase) config.passphrase_file = resolve(*passphrase, folder);
  MIZAN_TRY(rate, required(map, document, "rate", "0.05"));
  const auto parsed = rate_from_usd_hour(rate);
  if (!parsed)
    return fault_at("rate", map.at("rate"),
                    "must be US dollars a unit-hour with at most nine decimals, like 0.05");
  config.rate = *parsed;
  MIZAN_CHECK(read_capacity(map, config));
  MIZAN_TRY(country, map.text("country"));
  config.country = country.value_or("");
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (country && (country->size() != 2 || !upper(country->at(0)) || !upper(country->at(1))))
    return fault_at("country", map.at("country"),
                    "must be two capital letters of ISO 3166, like DE");
  MIZAN_CHECK(read_duration(map, "min_lease", config.min_seconds));
  MIZAN_CHECK(read_duration(map, "max_lease", config.max_seconds));
  if (config.min_seconds > config.max_seconds)
    return fault_at("min_lease", map.at(map.has("min_lease") ? "min_lease" : "max_lease"),
                    "is longer than max_lease");
  MIZAN_CHECK(read_images(map, folder, config));
  MIZAN_CHECK(read_payees(map, config));
  MIZAN_TRY(runtime, map.text("runtime"));
  config.runtime = runtime.value_or("");
  return config;
}

}  // namespace

Result<ProviderConfig> parse_config(std::string_view text, const std::filesystem::path& folder) {
  if (text.size() > (64 << 10))
    return fail(ErrorCode::too_large, "provider.yaml is longer than 64 KiB");
  try {
    const YAML::Node document = YAML::Load(std::string(text));
    return read_document(document, folder);
  } catch (const YAML::Exception& error) {
    return fail(Error{ErrorCode::invalid_argument, "provider.yaml is no YAML: line " +
                                                       std::to_string(error.mark.line + 1) + ": " +
                                                       error.msg});
  }
}

}  // namespace mizan::provider
