#include "crypto/public_key.hpp"

#include "base/ensure.hpp"
#include "crypto/hash.hpp"
#include "crypto/secp256k1_context.hpp"

#include <algorithm>

namespace mizan {
namespace {

bool parse(const PublicKey& key, secp256k1_pubkey* point) {
  std::array<uint8_t, 65> encoded{};
  encoded[0] = 4;  // uncompressed
  std::copy(key.bytes.begin(), key.bytes.end(), encoded.begin() + 1);
  return secp256k1_ec_pubkey_parse(curve_context(), point, encoded.data(), encoded.size()) == 1;
}

}  // namespace

PublicKey public_key(const SecretKey& key) {
  secp256k1_pubkey point;
  ensure(secp256k1_ec_pubkey_create(curve_context(), &point, key.reveal().data()) == 1,
         "a key that was not moved from has a public key");
  std::array<uint8_t, 65> encoded{};
  size_t size = encoded.size();
  secp256k1_ec_pubkey_serialize(curve_context(), encoded.data(), &size, &point,
                                SECP256K1_EC_UNCOMPRESSED);
  PublicKey result;
  std::copy(encoded.begin() + 1, encoded.end(), result.bytes.begin());
  return result;
}

Result<Address> address_of(const PublicKey& key) {
  secp256k1_pubkey point;
  if (!parse(key, &point))
    return fail(ErrorCode::invalid_argument, "a public key is a point of secp256k1");
  const Hash32 digest = keccak256(key.view());
  Address address;
  std::copy(digest.bytes.begin() + 12, digest.bytes.end(), address.bytes.begin());
  return address;
}

bool verify(const PublicKey& key, const Hash32& digest, ByteView r_and_s) {
  secp256k1_pubkey point;
  secp256k1_ecdsa_signature signature;
  if (r_and_s.size() != 64 || !parse(key, &point) ||
      secp256k1_ecdsa_signature_parse_compact(curve_context(), &signature, r_and_s.data()) != 1)
    return false;
  // JOSE leaves the half of s open; the library verifies the lower one only.
  secp256k1_ecdsa_signature_normalize(curve_context(), &signature, &signature);
  return secp256k1_ecdsa_verify(curve_context(), &signature, digest.bytes.data(), &point) == 1;
}

}  // namespace mizan
