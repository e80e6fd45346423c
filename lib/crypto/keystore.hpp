// Web3 Secret Storage, version 3: a secret key in a file, under a passphrase.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/key.hpp"

namespace mizan {

/// What one guess of the passphrase costs. The default is the standard's: about a second and
/// 256 MiB. Tests and keys that a stronger secret protects may take less.
struct ScryptCost {
  uint64_t n = 262'144;  ///< a power of two
  uint64_t r = 8;
  uint64_t p = 1;
};

/// The keystore's JSON text, as geth, Foundry and most wallets read it (scrypt, AES-128-CTR).
Result<std::string> keystore_encrypt(const SecretKey& key, std::string_view passphrase,
                                     const ScryptCost& cost = {});

/// The key; unauthenticated if the passphrase is wrong. The text is untrusted: at most 64 KiB, and
/// a cost above four times the standard's or 512 MiB is refused before it is paid.
Result<SecretKey> keystore_decrypt(std::string_view text, std::string_view passphrase);

/// The address that the text states, without a passphrase; not_found if it states none.
Result<Address> keystore_address(std::string_view text);

/// The same, from and to a file of mode 0600 that is replaced atomically.
Result<void> keystore_save(const std::string& path, const SecretKey& key,
                           std::string_view passphrase, const ScryptCost& cost = {});
Result<SecretKey> keystore_load(const std::string& path, std::string_view passphrase);

}  // namespace mizan
