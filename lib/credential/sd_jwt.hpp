// SD-JWT (RFC 9901): issue, hold, present with key binding, verify.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.hpp"
#include "credential/jose.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mizan::credential {

/// What an issuer vouches for. `disclosed` stands in clear in every presentation; each member of
/// `selective` can be shown or held back by the holder on its own.
struct Issuance {
  std::string issuer;       ///< "iss": a URI
  PublicKey holder;         ///< "cnf": the only key that can present it
  uint64_t issued_at = 0;   ///< seconds
  uint64_t expires_at = 0;  ///< seconds
  std::string status_list;  ///< URI of the list that can revoke it; empty for none
  uint64_t status_index = 0;
  json::object disclosed;
  json::object selective;
};

/// "jwt~disclosure~...~", for the holder to keep. Salts are 128 random bits.
std::string issue(const Issuance& what, const IssuerKey& key);

/// What a presentation is for: no verifier accepts one made for another, or twice.
struct Binding {
  std::string audience;
  std::string nonce;
  uint64_t issued_at = 0;  ///< seconds
};

/// Keeps the disclosures named in `show` (a name that the credential lacks is not_found), and binds
/// them with the holder's key (ES256K): "jwt~disclosure~...~kb-jwt".
Result<std::string> present(std::string_view credential, const std::vector<std::string>& show,
                            const SecretKey& holder, const Binding& binding);

/// The names of the claims that the holder could show.
Result<std::vector<std::string>> selectable(std::string_view credential);

/// What a verifier demands.
struct Demand {
  std::map<std::string, VerifyKey> issuers;  ///< accepted ones, by "iss"
  std::string audience;
  std::string nonce;               ///< spent by this call's caller: a second use is his to refuse
  uint64_t now = 0;                ///< seconds
  uint64_t binding_age_max = 300;  ///< seconds that a key binding may be old
  uint64_t clock_skew = 60;        ///< seconds that an issuer's or holder's clock may be ahead
};

struct Disclosure {
  std::string name;    ///< empty for an element of an array
  std::string digest;  ///< base64url of the SHA-256 of its salted encoding
};

/// What RFC 9901 makes of a presentation that holds, whatever the holder's curve.
struct Processed {
  std::string issuer;
  VerifyKey holder;
  uint64_t issued_at = 0;
  uint64_t expires_at = 0;
  json::object claims;  ///< those in clear and those shown, "_sd" and the like removed
  std::vector<Disclosure> disclosures;  ///< of the shown ones
};

/// RFC 9901, sections 7.1 and 7.3, for tokens whose header says `type`. Each refusal has its own
/// code: credential_malformed, credential_algorithm, credential_issuer (not accepted),
/// credential_tampered (a signature, a digest), credential_expired (or not yet valid),
/// credential_wrong_holder (key binding missing or by another key, or for another audience),
/// replayed (another nonce, or too old).
Result<Processed> process(std::string_view presentation, const Demand& demand,
                          std::string_view type);

/// A presentation that holds. Nothing in it is believed beyond what the issuer vouched for.
struct Presentation {
  std::string issuer;
  Address holder;  ///< the pseudonym of the key that it is bound to
  uint64_t issued_at = 0;
  uint64_t expires_at = 0;
  std::string status_list;  ///< empty: cannot be revoked
  uint64_t status_index = 0;
  json::object claims;  ///< those in clear and those shown, "_sd" and the like removed
  std::vector<Disclosure> disclosures;  ///< of the shown ones
};

/// process() for a party's credential: its type is "dc+sd-jwt", and its holder's key is one of
/// secp256k1 (credential_algorithm otherwise). Revocation is `StatusList`'s.
Result<Presentation> verify(std::string_view presentation, const Demand& demand);

}  // namespace mizan::credential
