#include "codec/domain_json.hpp"

#include "codec/json_fields.hpp"

namespace mizan {

json::object domain_json(const eip712::Domain& domain) {
  json::object out{{"name", "Mizan"}, {"version", "1"}};
  if (domain.is_credits()) {
    out["salt"] = to_json(*domain.salt());
  } else {
    out["chainId"] = domain.chain_id();
    out["verifyingContract"] = to_json(domain.contract());
  }
  return out;
}

Result<eip712::Domain> read_domain(const json::value& value, const Hash32& exchange_id) {
  if (value.is_null()) return eip712::Domain::credits(exchange_id);
  ObjectReader in(value, "domain");
  std::string name;
  std::string version;
  in.required("name", name);
  in.required("version", version);
  Hash32 salt;
  uint64_t chain_id = 0;
  Address contract;
  const bool salted = in.optional("salt", salt);
  if (!salted) {
    in.required("chainId", chain_id);
    in.required("verifyingContract", contract);
  }
  MIZAN_CHECK(in.finish());
  if (name != "Mizan" || version != "1")
    return bad_field("domain", "is of another protocol, or of another version of it");
  if (!salted && (chain_id == 0 || contract.is_zero()))
    return bad_field("domain", "names no chain or no contract");
  if (!salted) return eip712::Domain::evm(chain_id, contract);
  if (salt != exchange_id) return bad_field("domain.salt", "is the exchange's id");
  return eip712::Domain::credits(exchange_id);
}

}  // namespace mizan
