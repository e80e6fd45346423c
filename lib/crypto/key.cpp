#include "crypto/key.hpp"

#include "base/ensure.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "crypto/secp256k1_context.hpp"

#include <secp256k1_recovery.h>

#include <algorithm>
#include <utility>

namespace mizan {
namespace {

Address address_of(const secp256k1_pubkey& key) {
  std::array<uint8_t, 65> point{};
  size_t size = point.size();
  secp256k1_ec_pubkey_serialize(curve_context(), point.data(), &size, &key,
                                SECP256K1_EC_UNCOMPRESSED);
  const Hash32 digest = keccak256(ByteView(point).subspan(1));  // without the leading 0x04
  Address address;
  std::copy(digest.bytes.begin() + 12, digest.bytes.end(), address.bytes.begin());
  return address;
}

tl::unexpected<Error> bad_signature(std::string why) {
  return fail(ErrorCode::unauthenticated, "the signature is not valid: " + std::move(why));
}

}  // namespace

SecretKey SecretKey::generate() {
  for (;;) {
    std::array<uint8_t, 32> bytes{};
    fill_random(bytes);
    auto key = from_bytes(bytes);
    wipe(bytes);
    if (key) return *std::move(key);  // once in 2^128 the bytes are out of range
  }
}

Result<SecretKey> SecretKey::from_bytes(ByteView bytes) {
  SecretKey key;
  if (bytes.size() != key.bytes_.size())
    return fail(ErrorCode::invalid_argument, "a secret key has 32 bytes");
  std::copy(bytes.begin(), bytes.end(), key.bytes_.begin());
  secp256k1_pubkey point;
  if (secp256k1_ec_pubkey_create(curve_context(), &point, key.bytes_.data()) != 1)
    return fail(ErrorCode::invalid_argument,
                "a secret key is above zero and below the group order");
  key.address_ = address_of(point);
  return key;
}

SecretKey::SecretKey(SecretKey&& other) noexcept : bytes_(other.bytes_), address_(other.address_) {
  wipe(other.bytes_);
}

SecretKey& SecretKey::operator=(SecretKey&& other) noexcept {
  if (this != &other) {
    bytes_ = other.bytes_;
    address_ = other.address_;
    wipe(other.bytes_);
  }
  return *this;
}

SecretKey::~SecretKey() {
  wipe(bytes_);
}

SecretKey SecretKey::clone() const {
  SecretKey copy;
  copy.bytes_ = bytes_;
  copy.address_ = address_;
  return copy;
}

Signature SecretKey::sign(const Hash32& digest) const {
  secp256k1_ecdsa_recoverable_signature raw;
  ensure(secp256k1_ecdsa_sign_recoverable(curve_context(), &raw, digest.bytes.data(), bytes_.data(),
                                          nullptr, nullptr) == 1,
         "a key that was not moved from signs");
  Signature signature;
  int id = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(curve_context(), signature.bytes.data(),
                                                          &id, &raw);
  // Ids 2 and 3 mean an x above the group order, which nobody finds.
  ensure(id == 0 || id == 1, "the recovery id of a signature is 0 or 1");
  signature.bytes[64] = static_cast<uint8_t>(27 + id);
  return signature;
}

Result<Address> recover(const Hash32& digest, const Signature& signature) {
  const uint8_t v = signature.bytes[64];
  if (v != 27 && v != 28) return bad_signature("v is 27 or 28");
  secp256k1_ecdsa_signature plain;
  if (secp256k1_ecdsa_signature_parse_compact(curve_context(), &plain, signature.bytes.data()) != 1)
    return bad_signature("r or s is out of range");
  if (secp256k1_ecdsa_signature_normalize(curve_context(), nullptr, &plain) == 1)
    return bad_signature("s is in the upper half");
  secp256k1_ecdsa_recoverable_signature raw;
  secp256k1_pubkey point;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(curve_context(), &raw,
                                                          signature.bytes.data(), v - 27) != 1 ||
      secp256k1_ecdsa_recover(curve_context(), &point, &raw, digest.bytes.data()) != 1)
    return bad_signature("no key could have made it");
  const Address signer = address_of(point);
  if (signer.is_zero()) return bad_signature("the signer is the zero address");
  return signer;
}

}  // namespace mizan
