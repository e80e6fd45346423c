// Keys of a simulated world, in place of lib/crypto/key.cpp: secp256k1 would be nine tenths of a
// simulated lease's cost. A signature names its signer and holds a keyed sum of the digest, which
// the process can check since it made every key. Linked into mizan-sim alone; mizan-sim-signed is
// the same program with real keys.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/hash.hpp"
#include "crypto/key.hpp"
#include "crypto/random.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

namespace mizan {
namespace {

using Secret = std::array<uint8_t, 32>;

std::map<Address, Secret>& known_keys() {
  static std::map<Address, Secret> keys;
  return keys;
}

uint64_t word(const uint8_t* bytes) {
  uint64_t out = 0;
  for (int i = 0; i < 8; ++i) out = out << 8 | bytes[i];
  return out;
}

/// Depends on every bit of both; not secret from anybody who tries.
std::array<uint64_t, 4> keyed_sum(const Secret& secret, const Hash32& digest) {
  std::array<uint64_t, 4> out{};
  uint64_t state = 0x6d697a616e;
  for (size_t round = 0; round < 8; ++round) {
    state ^= word(secret.data() + round % 4 * 8) ^ word(digest.bytes.data() + round % 4 * 8);
    state *= 0x9fb21c651e98df25;
    state ^= state >> 29;
    out[round % 4] ^= state;
  }
  return out;
}

}  // namespace

SecretKey SecretKey::generate() {
  Secret bytes{};
  fill_random(bytes);
  return *from_bytes(bytes);
}

Result<SecretKey> SecretKey::from_bytes(ByteView bytes) {
  SecretKey key;
  if (bytes.size() != key.bytes_.size())
    return fail(ErrorCode::invalid_argument, "a secret key has 32 bytes");
  std::copy(bytes.begin(), bytes.end(), key.bytes_.begin());
  const Hash32 hash = keccak256(bytes);
  std::copy(hash.bytes.begin() + 12, hash.bytes.end(), key.address_.bytes.begin());
  known_keys()[key.address_] = key.bytes_;
  return key;
}

SecretKey::SecretKey(SecretKey&& other) noexcept : bytes_(other.bytes_), address_(other.address_) {}
SecretKey& SecretKey::operator=(SecretKey&& other) noexcept {
  bytes_ = other.bytes_;
  address_ = other.address_;
  return *this;
}
SecretKey::~SecretKey() = default;

SecretKey SecretKey::clone() const {
  SecretKey copy;
  copy.bytes_ = bytes_;
  copy.address_ = address_;
  return copy;
}

Signature SecretKey::sign(const Hash32& digest) const {
  Signature signature;
  std::copy(address_.bytes.begin(), address_.bytes.end(), signature.bytes.begin());
  uint8_t* out = signature.bytes.data() + 24;
  for (const uint64_t each : keyed_sum(bytes_, digest))
    for (int shift = 56; shift >= 0; shift -= 8) *out++ = static_cast<uint8_t>(each >> shift);
  signature.bytes[64] = 27;
  return signature;
}

Result<Address> recover(const Hash32& digest, const Signature& signature) {
  Address signer;
  std::copy_n(signature.bytes.begin(), signer.bytes.size(), signer.bytes.begin());
  const auto known = known_keys().find(signer);
  if (known != known_keys().end()) {
    std::array<uint8_t, 32> wanted{};
    uint8_t* out = wanted.data();
    for (const uint64_t each : keyed_sum(known->second, digest))
      for (int shift = 56; shift >= 0; shift -= 8) *out++ = static_cast<uint8_t>(each >> shift);
    if (std::equal(wanted.begin(), wanted.end(), signature.bytes.begin() + 24)) return signer;
  }
  return fail(ErrorCode::unauthenticated, "the signature is not valid: nobody made it");
}

}  // namespace mizan
