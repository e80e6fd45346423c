// Files that a person writes or hands on, beside job files, rules and provider.yaml: exchange.yaml,
// chain.json, config.json, a lease's messages, a receipt. The first byte says which the rest is.
#include "codec/json_fields.hpp"
#include "crypto/payees_hash.hpp"
#include "fuzz/fuzz.hpp"
#include "fuzz/temporary_folder.hpp"
#include "mizan/chain_settings.hpp"
#include "mizan/lease_file.hpp"
#include "mizan/receipt_check.hpp"
#include "mizan/settings.hpp"
#include "service/program.hpp"

#include <fstream>

using namespace mizan;

namespace {

void exchange_config(std::string_view text) {
  const auto config = service::parse_exchange_config(text, "/etc/mizan");
  if (!config) return ensure(!config.error().message.empty(), "a refusal says something");
  ensure(config->service.state.is_absolute(), "relative paths begin at the file's folder");
}

void chain(const std::filesystem::path& home, std::string_view text) {
  std::ofstream(home / "chain.json", std::ios::binary) << text;
  const auto settings = cli::load_chain(home);
  if (!settings) return;
  ensure(settings->decimals >= 6 && settings->decimals <= 18, "decimals are within bounds");
  ensure(cli::save_chain(home, *settings).has_value(), "what was read can be kept");
  const auto again = cli::load_chain(home);
  ensure(again && again->node == settings->node && again->contract == settings->contract &&
             again->chain_id == settings->chain_id && again->depth == settings->depth,
         "a chain's file is read as it is written");
}

void home_settings(const std::filesystem::path& home, std::string_view text) {
  std::ofstream(home / "config.json", std::ios::binary) << text;
  const auto settings = cli::load_settings(home);
  if (!settings) return;
  ensure(cli::save_settings(home, *settings).has_value(), "what was read can be kept");
  const auto again = cli::load_settings(home);
  ensure(again && again->exchange == settings->exchange && again->ca == settings->ca &&
             again->exchange_id == settings->exchange_id && again->key == settings->key &&
             again->domain.separator() == settings->domain.separator(),
         "a home's file is read as it is written");
}

void lease(const std::filesystem::path& home, std::string_view text) {
  std::ofstream(home / "lease.json", std::ios::binary) << text;
  const auto domain = eip712::Domain::credits(Hash32{});
  const auto file = cli::read_lease_file(home / "lease.json", domain);
  if (!file) return;
  const Hash32 id = eip712::digest(domain, file->terms);
  const auto same = [&id](const auto& message) { return !message || message->lease == id; };
  ensure(same(file->clearance) && same(file->voucher) && same(file->close) &&
             same(file->request_close) && payees_hash(file->payees) == file->terms.payees_hash,
         "it is of one lease");
}

void receipt(std::string_view text) {
  const auto value = parse_json(text);
  if (!value) return;
  const auto bundle = cli::read_receipt(*value);
  if (!bundle) return;
  const auto findings = cli::check_receipt(*bundle, std::nullopt);
  ensure(std::any_of(findings.begin(), findings.end(), [](const auto& one) { return !one.holds; }),
         "nobody signed this");
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::TemporaryFolder kHome;
  if (size == 0) return 0;
  const std::string_view text = fuzz::text_of(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      exchange_config(text);
      break;
    case 1:
      chain(kHome.path, text);
      break;
    case 2:
      lease(kHome.path, text);
      break;
    case 3:
      receipt(text);
      break;
    default:
      home_settings(kHome.path, text);
  }
  return 0;
}
