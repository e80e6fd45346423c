#include "mizan/settings.hpp"

#include "codec/domain_json.hpp"
#include "crypto/hash.hpp"
#include "mizan/json_view.hpp"

namespace mizan::cli {

Hash32 exchange_id_of(const Address& identity) {
  Bytes preimage;
  for (const ByteView part : {as_bytes("mizan-exchange"), identity.view()})
    preimage.insert(preimage.end(), part.begin(), part.end());
  return keccak256(preimage);
}

Result<ExchangeInfo> read_exchange_info(const boost::json::value& value) {
  ExchangeInfo info;
  MIZAN_TRY(id, member<Hash32>(value, "id"));
  MIZAN_TRY(identity, member<Address>(value, "identity"));
  MIZAN_TRY(meter, member<Address>(value, "meter"));
  MIZAN_TRY(clearance, member<Address>(value, "clearance"));
  MIZAN_TRY(operator_address, member<Address>(value, "operator"));
  MIZAN_TRY(fee_bps, member<uint16_t>(value, "feeBps"));
  if (exchange_id_of(identity) != id)
    return fail(ErrorCode::unauthenticated,
                "the exchange's id is not that of its identity key: this is no Mizan exchange, or "
                "somebody stands between");
  MIZAN_TRY(domain, read_domain(member_value(value, "domain"), id));
  info.id = id;
  info.signing = domain;
  info.identity = identity;
  info.meter = meter;
  info.clearance = clearance;
  info.operator_ = operator_address;
  info.fee_bps = fee_bps;
  info.voucher_interval_seconds = member_or<uint64_t>(value, "voucherIntervalSeconds");
  info.readiness_seconds = member_or<uint64_t>(value, "readinessSeconds");
  info.settlement = member_or<std::string>(value, "settlement");
  info.rule_set = member_or<std::string>(value, "ruleSet");
  info.time_ms = member_or<uint64_t>(value, "timeMs");
  return info;
}

Result<Settings> load_settings(const fs::path& home) {
  Settings settings;
  const fs::path path = home / "config.json";
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return settings;
  MIZAN_TRY(value, read_json_file(path));
  json::value domain;
  ObjectReader in(value, path.string());
  in.optional("exchange", settings.exchange);
  in.optional("ca", settings.ca);
  in.optional("exchangeId", settings.exchange_id);
  in.optional("domain", domain);
  in.optional("key", settings.key);
  MIZAN_CHECK(in.finish());
  if (settings.exchange_id.is_zero()) return settings;
  MIZAN_TRY(read, read_domain(domain, settings.exchange_id));
  settings.domain = read;
  return settings;
}

Result<void> save_settings(const fs::path& home, const Settings& settings) {
  MIZAN_CHECK(make_private_folder(home));
  json::object value{{"exchange", settings.exchange}, {"key", settings.key}};
  if (!settings.ca.empty()) value["ca"] = settings.ca;
  if (!settings.exchange_id.is_zero()) {
    value["exchangeId"] = hex0x(settings.exchange_id.view());
    value["domain"] = domain_json(settings.domain);
  }
  return write_json_file(home / "config.json", value);
}

}  // namespace mizan::cli
