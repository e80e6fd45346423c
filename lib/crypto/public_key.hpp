// secp256k1 public keys, where a message names its signer's key instead of letting it be recovered.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/key.hpp"

namespace mizan {

/// A point of the curve: x, then y, big-endian.
using PublicKey = FixedBytes<64, struct PublicKeyTag>;

PublicKey public_key(const SecretKey& key);

/// The pseudonym of `key`; invalid_argument unless it is a point of the curve.
Result<Address> address_of(const PublicKey& key);

/// Whether `r_and_s` (64 bytes, s in either half) is `key`'s signature of `digest`.
bool verify(const PublicKey& key, const Hash32& digest, ByteView r_and_s);

}  // namespace mizan
