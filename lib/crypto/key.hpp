// secp256k1 keys: sign a digest, recover the signer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

namespace mizan {

/// A party's, a lease's or a service's secret key. Wiped when it goes; moved, or cloned on purpose,
/// never copied by accident; it has no way into a log. Signing is safe from many threads at once.
class SecretKey {
 public:
  static SecretKey generate();  ///< from the operating system's randomness
  /// 32 big-endian bytes; zero and the group's order and above are errors.
  static Result<SecretKey> from_bytes(ByteView bytes);

  SecretKey(SecretKey&& other) noexcept;
  SecretKey& operator=(SecretKey&& other) noexcept;
  SecretKey(const SecretKey&) = delete;
  SecretKey& operator=(const SecretKey&) = delete;
  ~SecretKey();

  SecretKey clone() const;
  const Address& address() const { return address_; }
  /// Deterministic (RFC 6979), s in the lower half, v 27 or 28.
  Signature sign(const Hash32& digest) const;
  /// The raw key, for writing it into a keystore. Never printed.
  ByteView reveal() const { return bytes_; }

 private:
  SecretKey() = default;
  std::array<uint8_t, 32> bytes_{};
  Address address_;
};

/// Who signed `digest`: refuses (unauthenticated) an s in the upper half, another v than 27 or 28,
/// numbers out of range and a signer that is the zero address.
Result<Address> recover(const Hash32& digest, const Signature& signature);

}  // namespace mizan
