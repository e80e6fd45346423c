#include "mizan/chain_settings.hpp"

#include "codec/json_fields.hpp"
#include "settlement/outbox.hpp"

namespace mizan::cli {
namespace {

u128 power_of_ten(unsigned exponent) {
  u128 out = 1;
  for (unsigned i = 0; i < exponent; ++i) out *= 10;
  return out;
}

}  // namespace

Result<void> check_depth(uint64_t depth, const std::string& field) {
  if (depth > settlement::kMostDepth)
    return bad_field(field, "is at most " + std::to_string(settlement::kMostDepth) + " blocks");
  return {};
}

Result<ChainSettings> load_chain(const fs::path& home) {
  const fs::path path = home / "chain.json";
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    return fail(ErrorCode::not_found,
                "no contract is known here: `mizan contract join` an exchange's, or "
                "`mizan contract deploy` one");
  MIZAN_TRY(value, read_json_file(path));
  ChainSettings chain;
  ObjectReader in(value, path.string());
  in.required("node", chain.node);
  in.required("chainId", chain.chain_id);
  in.required("contract", chain.contract);
  in.required("token", chain.token);
  in.required("decimals", chain.decimals);
  in.required("fromBlock", chain.from_block);
  in.required("depth", chain.depth);
  MIZAN_CHECK(in.finish());
  if (chain.decimals < 6 || chain.decimals > 18)
    return bad_field(path.string() + ".decimals", "is 6 to 18");
  MIZAN_CHECK(check_depth(chain.depth, path.string() + ".depth"));
  return chain;
}

Result<void> save_chain(const fs::path& home, const ChainSettings& chain) {
  MIZAN_CHECK(make_private_folder(home));
  return write_json_file(home / "chain.json", json::object{{"node", chain.node},
                                                           {"chainId", chain.chain_id},
                                                           {"contract", to_json(chain.contract)},
                                                           {"token", to_json(chain.token)},
                                                           {"decimals", chain.decimals},
                                                           {"fromBlock", chain.from_block},
                                                           {"depth", chain.depth}});
}

Result<u128> units_from(Money money, uint8_t decimals) {
  if (decimals >= 9) return checked_mul(money.nano, power_of_ten(decimals - 9U));
  const u128 divide = power_of_ten(9U - decimals);
  if (money.nano % divide != 0)
    return fail(ErrorCode::invalid_argument, "the token has " + std::to_string(decimals) +
                                                 " decimals: give no finer amount than that");
  return money.nano / divide;
}

u128 whole_units(Money money, uint8_t decimals) {
  return decimals >= 9 ? money.nano * power_of_ten(decimals - 9U)
                       : money.nano / power_of_ten(9U - decimals);
}

std::string format_units(u128 units, uint8_t decimals) {
  const u128 whole = power_of_ten(decimals);
  std::string fraction = mizan::to_string(units % whole);
  fraction.insert(0, decimals - fraction.size(), '0');
  while (fraction.size() > 2 && fraction.back() == '0') fraction.pop_back();
  return "$" + mizan::to_string(units / whole) + "." + fraction;
}

}  // namespace mizan::cli
