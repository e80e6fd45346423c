#include "exchange/options.hpp"

#include "codec/json_fields.hpp"
#include "policy/words.hpp"

#include <algorithm>

namespace mizan::exchange {
namespace {

constexpr size_t kMostOptions = size_t{64} << 10;
constexpr size_t kMostIssuers = 64;
constexpr size_t kMostOfficers = 64;
constexpr size_t kMostUri = 512;

Result<policy::Outcome> read_outcome(std::string_view word, const std::string& path) {
  const auto place = policy::place_of(word, policy::kOutcomeWords);
  if (!place)
    return bad_field(path, "is ALLOW, NOTIFY, INSUFFICIENT, RED_FLAG, LICENCE or PROHIBITED");
  return static_cast<policy::Outcome>(*place);
}

Result<void> read_stricter(const std::map<std::string, std::string>& words, PolicyOptions& out) {
  for (const auto& [from, to] : words) {
    const std::string path = "options.stricter." + from;
    MIZAN_TRY(before, read_outcome(from, path));
    MIZAN_TRY(after, read_outcome(to, path));
    if (after <= before)
      return bad_field(path, "names an outcome that is not worse: policy is made stricter only");
    out.stricter.emplace(before, after);
  }
  return {};
}

}  // namespace

Result<PolicyOptions> read_policy_options(std::string_view text) {
  PolicyOptions out;
  if (text.empty()) return out;
  MIZAN_TRY(value, parse_json(text, {kMostOptions, 8, false}, "options"));
  ObjectReader in(value, "options");
  std::map<std::string, json::value> issuers;
  std::vector<Address> officers;
  std::map<std::string, std::string> words;
  in.optional("issuers", issuers);
  in.optional("officers", officers);
  in.optional("signersNeeded", out.signers_needed);
  in.optional("stricter", words);
  in.optional("developmentIssuers", out.development_issuers);
  MIZAN_CHECK(in.finish());
  if (issuers.size() > kMostIssuers) return bad_field("options.issuers", "has at most 64 issuers");
  for (const auto& [uri, key] : issuers) {
    if (uri.empty() || uri.size() > kMostUri)
      return bad_field("options.issuers", "a URI has 1 to 512 bytes");
    if (!key.is_object()) return bad_field("options.issuers." + uri, "is a JWK: an object");
    MIZAN_TRY(jwk, canonical_json(key));
    out.issuers.emplace(uri, std::move(jwk));
  }
  if (officers.size() > kMostOfficers)
    return bad_field("options.officers", "has at most 64 officers");
  for (const Address& officer : officers)
    if (officer.is_zero() || !out.officers.insert(officer).second)
      return bad_field("options.officers", "has a zero address, or one twice");
  if (out.signers_needed < 1 || out.signers_needed > 2)
    return bad_field("options.signersNeeded", "is 1 or 2");
  if (out.officers.size() + 1 < out.signers_needed)
    return bad_field("options.signersNeeded", "is more than there are officers and the operator");
  MIZAN_CHECK(read_stricter(words, out));
  return out;
}

policy::Outcome stricter(const std::map<policy::Outcome, policy::Outcome>& map,
                         policy::Outcome outcome) {
  policy::Outcome worst = outcome;
  for (const auto& [from, to] : map)
    if (from <= outcome) worst = std::max(worst, to);
  return worst;
}

}  // namespace mizan::exchange
