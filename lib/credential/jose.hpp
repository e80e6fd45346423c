// JOSE, the part that credentials need: base64url, ES256 and ES256K keys, compact JWS.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "crypto/public_key.hpp"

#include <boost/json/object.hpp>

#include <memory>
#include <string>
#include <variant>

namespace mizan::credential {

/// RFC 7515's base64url without padding. Decoding refuses padding, other characters and bits that
/// an encoder would not have set, so that one value has one spelling.
std::string base64url(ByteView bytes);
Result<Bytes> parse_base64url(std::string_view text);

/// A public key of P-256 (x, then y), as issuers sign with (ES256).
using P256Key = FixedBytes<64, struct P256Tag>;

/// Whose signature a token carries: an issuer's (ES256) or a holder's (ES256K). The algorithm is
/// the key's own, never the token's choice.
using VerifyKey = std::variant<P256Key, PublicKey>;
std::string_view algorithm(const VerifyKey& key);

/// RFC 7517: {"kty":"EC","crv":"P-256"|"secp256k1","x","y"}; members that say nothing about the
/// point
/// ("kid", "use", "alg") may stand beside them. Private members ("d") are refused.
json::object to_jwk(const VerifyKey& key);
Result<VerifyKey> parse_jwk(const json::value& jwk, std::string_view path);

/// An issuer's secret key (P-256). Wiped by OpenSSL when it goes; movable only.
class IssuerKey {
 public:
  static IssuerKey generate();
  /// PEM of RFC 5958 (PKCS#8), not encrypted: kept in a 0600 file by whoever holds it.
  static Result<IssuerKey> from_pem(std::string_view pem);
  std::string to_pem() const;
  IssuerKey(IssuerKey&&) noexcept;
  IssuerKey& operator=(IssuerKey&&) noexcept;
  ~IssuerKey();

  P256Key public_key() const;
  /// r and s (64 bytes) over the SHA-256 of `message`.
  Bytes sign(std::string_view message) const;

 private:
  struct Impl;
  explicit IssuerKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A compact JWS, not yet believed: nothing of it counts before `verify_jws`.
struct Jws {
  json::object header;
  json::object payload;
  std::string signing_input;
  Bytes signature;
};

/// credential_malformed, with the reason.
tl::unexpected<Error> malformed(std::string why);

/// Bounds: 64 KiB, objects at most 8 deep, no name twice. credential_malformed otherwise.
Result<Jws> parse_jws(std::string_view compact);

/// Checks `alg` (credential_algorithm unless it is the key's own; "crit" is refused too), `typ` and
/// the signature (credential_tampered).
Result<void> verify_jws(const Jws& jws, const VerifyKey& key, std::string_view type);

/// header.payload.signature; the header gets `alg` and `typ`.
std::string make_jws(const json::object& payload, std::string_view type, const IssuerKey& key);
std::string make_jws(const json::object& payload, std::string_view type, const SecretKey& key);

}  // namespace mizan::credential
