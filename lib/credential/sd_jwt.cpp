#include "credential/sd_jwt.hpp"

#include "crypto/hash.hpp"
#include "crypto/random.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <set>

namespace mizan::credential {
namespace {

constexpr std::string_view kCredentialType = "dc+sd-jwt";
constexpr std::string_view kBindingType = "kb+jwt";
constexpr size_t kMaxDisclosures = 256;
constexpr size_t kSaltBytes = 16;

std::string digest_of(std::string_view text) {
  return base64url(sha256(text).view());
}

/// "jwt~d1~d2~" or "jwt~d1~d2~kb": the parts, and all of it up to the last "~", which a binding
/// covers.
struct Parts {
  std::string_view jwt;
  std::vector<std::string_view> disclosures;
  std::string_view binding;  // empty without one
  std::string_view bound;
};

Result<Parts> split(std::string_view text) {
  const size_t first = text.find('~');
  if (first == std::string_view::npos)
    return malformed("it has no \"~\"; an SD-JWT ends its parts with one");
  Parts parts;
  parts.jwt = text.substr(0, first);
  size_t at = first + 1;
  for (size_t next; (next = text.find('~', at)) != std::string_view::npos; at = next + 1) {
    if (parts.disclosures.size() == kMaxDisclosures)
      return malformed("it has more than 256 disclosures");
    parts.disclosures.push_back(text.substr(at, next - at));
  }
  parts.binding = text.substr(at);
  parts.bound = text.substr(0, at);
  return parts;
}

struct Decoded {
  std::string name;  // empty for an array's element
  json::value value;
  bool used = false;
};

Result<Decoded> decode_disclosure(std::string_view encoded) {
  auto bytes = parse_base64url(encoded);
  if (!bytes) return malformed("a disclosure is not base64url");
  auto value = parse_json(as_text(*bytes), {size_t{64} << 10, 8, true}, "a disclosure");
  if (!value) return malformed(value.error().message);
  auto* array = value->if_array();
  if (array == nullptr || array->empty() || !array->front().is_string() ||
      (array->size() == 3 && !(*array)[1].is_string()) || array->size() < 2 || array->size() > 3)
    return malformed("a disclosure is neither [salt, name, value] nor [salt, value]");
  Decoded decoded;
  if (array->size() == 3) {
    decoded.name = std::string((*array)[1].get_string());
    if (decoded.name.empty() || decoded.name == "_sd" || decoded.name == "...")
      return malformed("a disclosure names a claim \"" + decoded.name + "\"");
  }
  decoded.value = std::move(array->back());
  return decoded;
}

/// Puts disclosed values in the place of their digests (RFC 9901, section 7.1, step 3).
class Unfold {
 public:
  Unfold(std::map<std::string, Decoded, std::less<>>& known, std::vector<Disclosure>& shown)
      : known_(known), shown_(shown) {}

  Result<void> object(json::object& object, int depth) {
    if (depth > kDepth) return malformed("disclosures are nested too deeply");
    std::vector<std::string> digests;
    if (const auto* list = object.if_contains("_sd")) {
      if (!list->is_array()) return malformed("_sd is not an array");
      for (const auto& digest : list->get_array()) {
        if (!digest.is_string()) return malformed("_sd holds something else than digests");
        digests.emplace_back(digest.get_string());
      }
      object.erase("_sd");
    }
    if (object.contains("...")) return malformed("an object has a member \"...\"");
    for (auto& member : object) MIZAN_CHECK(value(member.value(), depth));
    for (const auto& digest : digests) {
      MIZAN_TRY(decoded, take(digest));
      if (decoded == nullptr) continue;
      if (decoded->name.empty()) return malformed("an element's disclosure stands for a claim");
      if (object.contains(decoded->name))
        return malformed("the claim \"" + decoded->name + "\" is there twice");
      MIZAN_CHECK(value(decoded->value, depth));
      shown_.push_back({decoded->name, digest});
      object.emplace(decoded->name, decoded->value);
    }
    return {};
  }

 private:
  static constexpr int kDepth = 8;

  Result<void> value(json::value& value, int depth) {
    if (auto* child = value.if_object()) return object(*child, depth + 1);
    if (auto* child = value.if_array()) return array(*child, depth + 1);
    return {};
  }

  Result<void> array(json::array& array, int depth) {
    if (depth > kDepth) return malformed("disclosures are nested too deeply");
    json::array kept;
    for (auto& element : array) {
      const auto* object = element.if_object();
      const auto* digest = object != nullptr ? object->if_contains("...") : nullptr;
      if (digest == nullptr) {
        MIZAN_CHECK(value(element, depth));
        kept.push_back(std::move(element));
        continue;
      }
      if (object->size() != 1 || !digest->is_string())
        return malformed("an element of digest \"...\" has other members");
      MIZAN_TRY(decoded, take(std::string(digest->get_string())));
      if (decoded == nullptr) continue;
      if (!decoded->name.empty()) return malformed("a claim's disclosure stands for an element");
      MIZAN_CHECK(value(decoded->value, depth));
      shown_.push_back({"", std::string(digest->get_string())});
      kept.push_back(decoded->value);
    }
    array = std::move(kept);
    return {};
  }

  /// The disclosure of a digest, or null for one that was not shown; a digest comes only once.
  Result<Decoded*> take(const std::string& digest) {
    if (!seen_.insert(digest).second) return malformed("a digest is there twice");
    const auto found = known_.find(digest);
    if (found == known_.end()) return nullptr;
    found->second.used = true;
    return &found->second;
  }

  std::map<std::string, Decoded, std::less<>>& known_;
  std::vector<Disclosure>& shown_;
  std::set<std::string> seen_;
};

Result<uint64_t> seconds_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value != nullptr && value->is_uint64()) return value->get_uint64();
  if (value != nullptr && value->is_int64() && value->get_int64() >= 0)
    return static_cast<uint64_t>(value->get_int64());
  return malformed("\"" + std::string(name) + "\" is not a time in whole seconds");
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

Result<void> check_binding(const Parts& parts, const VerifyKey& holder, const Demand& demand) {
  if (parts.binding.empty())
    return fail(ErrorCode::credential_wrong_holder,
                "the credential is shown without its holder's key binding");
  MIZAN_TRY(binding, parse_jws(parts.binding));
  if (auto checked = verify_jws(binding, holder, kBindingType); !checked) {
    if (checked.error().code != ErrorCode::credential_tampered) return checked;
    return fail(ErrorCode::credential_wrong_holder,
                "the credential is bound to another key than the one that shows it");
  }
  if (text_of(binding.payload, "sd_hash") != digest_of(parts.bound))
    return fail(ErrorCode::credential_tampered,
                "the key binding covers other disclosures than those shown");
  if (text_of(binding.payload, "aud") != demand.audience)
    return fail(ErrorCode::credential_wrong_holder,
                "the credential was shown to somebody else (aud)");
  if (text_of(binding.payload, "nonce") != demand.nonce)
    return fail(ErrorCode::replayed, "the presentation answers another challenge (nonce)");
  MIZAN_TRY(shown_at, seconds_of(binding.payload, "iat"));
  if (shown_at > demand.now + demand.clock_skew || shown_at + demand.binding_age_max < demand.now)
    return fail(ErrorCode::replayed, "the presentation is too old, or from the future (iat)");
  return {};
}

Result<VerifyKey> holder_of(const json::object& payload) {
  const auto* cnf = payload.if_contains("cnf");
  const auto* jwk =
      cnf != nullptr && cnf->is_object() ? cnf->get_object().if_contains("jwk") : nullptr;
  if (jwk == nullptr) return malformed("it is bound to no key (cnf.jwk)");
  return parse_jwk(*jwk, "cnf.jwk");
}

}  // namespace

std::string issue(const Issuance& what, const IssuerKey& key) {
  json::object payload = what.disclosed;
  json::array digests;
  std::string disclosures;
  for (const auto& claim : what.selective) {
    std::array<uint8_t, kSaltBytes> salt{};
    fill_random(salt);
    const std::string disclosure =
        base64url(as_bytes(json_text(json::array{base64url(salt), claim.key(), claim.value()})));
    digests.emplace_back(digest_of(disclosure));
    disclosures += disclosure + "~";
  }
  // In the order of the digests, so that the place of one says nothing of its claim.
  std::sort(digests.begin(), digests.end(),
            [](const auto& a, const auto& b) { return a.get_string() < b.get_string(); });
  payload["iss"] = what.issuer;
  payload["iat"] = what.issued_at;
  payload["exp"] = what.expires_at;
  payload["cnf"] = json::object{{"jwk", to_jwk(what.holder)}};
  if (!what.status_list.empty())
    payload["status"] =
        json::object{{"status_list", {{"idx", what.status_index}, {"uri", what.status_list}}}};
  payload["_sd_alg"] = "sha-256";
  payload["_sd"] = std::move(digests);
  return make_jws(payload, kCredentialType, key) + "~" + disclosures;
}

Result<std::vector<std::string>> selectable(std::string_view credential) {
  MIZAN_TRY(parts, split(credential));
  std::vector<std::string> names;
  for (const auto disclosure : parts.disclosures) {
    MIZAN_TRY(decoded, decode_disclosure(disclosure));
    names.push_back(decoded.name);
  }
  return names;
}

Result<std::string> present(std::string_view credential, const std::vector<std::string>& show,
                            const SecretKey& holder, const Binding& binding) {
  MIZAN_TRY(parts, split(credential));
  if (!parts.binding.empty()) return malformed("it is a presentation already, not a credential");
  std::string kept = std::string(parts.jwt) + "~";
  std::set<std::string> missing(show.begin(), show.end());
  for (const auto disclosure : parts.disclosures) {
    MIZAN_TRY(decoded, decode_disclosure(disclosure));
    if (std::find(show.begin(), show.end(), decoded.name) == show.end()) continue;
    missing.erase(decoded.name);
    kept += std::string(disclosure) + "~";
  }
  if (!missing.empty())
    return fail(ErrorCode::not_found, "the credential has no claim \"" + *missing.begin() + "\"");
  const json::object payload{{"iat", binding.issued_at},
                             {"aud", binding.audience},
                             {"nonce", binding.nonce},
                             {"sd_hash", digest_of(kept)}};
  return kept + make_jws(payload, kBindingType, holder);
}

Result<Processed> process(std::string_view presentation, const Demand& demand,
                          std::string_view type) {
  MIZAN_TRY(parts, split(presentation));
  MIZAN_TRY(jws, parse_jws(parts.jwt));
  const std::string issuer = text_of(jws.payload, "iss");
  const auto key = demand.issuers.find(issuer);
  if (key == demand.issuers.end())
    return fail(ErrorCode::credential_issuer,
                "the credential's issuer \"" + issuer + "\" is not accepted here");
  MIZAN_CHECK(verify_jws(jws, key->second, type));

  if (const auto* alg = jws.payload.if_contains("_sd_alg");
      alg != nullptr && *alg != json::value("sha-256"))
    return fail(ErrorCode::credential_algorithm, "its disclosures are not hashed with sha-256");
  std::map<std::string, Decoded, std::less<>> known;
  for (const auto disclosure : parts.disclosures) {
    MIZAN_TRY(decoded, decode_disclosure(disclosure));
    if (!known.emplace(digest_of(disclosure), std::move(decoded)).second)
      return malformed("a disclosure is there twice");
  }
  Processed result;
  result.claims = jws.payload;
  result.claims.erase("_sd_alg");
  Unfold unfold(known, result.disclosures);
  MIZAN_CHECK(unfold.object(result.claims, 0));
  for (const auto& [digest, decoded] : known)
    if (!decoded.used)
      return fail(ErrorCode::credential_tampered,
                  "a disclosure is not one that the issuer vouched for");

  MIZAN_TRY(issued_at, seconds_of(jws.payload, "iat"));
  MIZAN_TRY(expires_at, seconds_of(jws.payload, "exp"));
  if (jws.payload.contains("nbf")) {
    MIZAN_TRY(not_before, seconds_of(jws.payload, "nbf"));
    if (not_before > demand.now + demand.clock_skew)
      return fail(ErrorCode::credential_expired, "the credential is not valid yet (nbf)");
  }
  if (issued_at > demand.now + demand.clock_skew)
    return fail(ErrorCode::credential_expired, "the credential is from the future (iat)");
  if (expires_at <= demand.now)
    return fail(ErrorCode::credential_expired, "the credential's time is over (exp)");

  MIZAN_TRY(holder, holder_of(jws.payload));
  MIZAN_CHECK(check_binding(parts, holder, demand));
  result.issuer = issuer;
  result.holder = holder;
  result.issued_at = issued_at;
  result.expires_at = expires_at;
  return result;
}

Result<Presentation> verify(std::string_view presentation, const Demand& demand) {
  MIZAN_TRY(seen, process(presentation, demand, kCredentialType));
  const auto* holder = std::get_if<PublicKey>(&seen.holder);
  if (holder == nullptr)
    return fail(ErrorCode::credential_algorithm,
                "the holder's key (cnf.jwk) is not of secp256k1, as a party's key is");
  MIZAN_TRY(address, address_of(*holder));
  Presentation result;
  result.issuer = std::move(seen.issuer);
  result.holder = address;
  result.issued_at = seen.issued_at;
  result.expires_at = seen.expires_at;
  result.claims = std::move(seen.claims);
  result.disclosures = std::move(seen.disclosures);
  if (const auto* status = result.claims.if_contains("status")) {
    const auto* list =
        status->is_object() ? status->get_object().if_contains("status_list") : nullptr;
    if (list == nullptr || !list->is_object()) return malformed("status names no status_list");
    result.status_list = text_of(list->get_object(), "uri");
    MIZAN_TRY(index, seconds_of(list->get_object(), "idx"));
    result.status_index = index;
    if (result.status_list.empty()) return malformed("status.status_list.uri is missing");
  }
  return result;
}

}  // namespace mizan::credential
