// The keys of a home: <home>/keys/NAME.json, and those that are unlocked for a while.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/keystore.hpp"
#include "mizan/command.hpp"
#include "net/auth.hpp"

#include <optional>
#include <vector>

namespace mizan::cli {

struct KeyEntry {
  std::string name;
  Address address;
  std::filesystem::path file;  ///< a Web3 Secret Storage (v3) file
};

/// By name. A file that is no keystore is an error that names it.
Result<std::vector<KeyEntry>> list_keys(const std::filesystem::path& home);

/// --key (a name or an address), else the settings' key, else the only one. not_found says how to
/// make one.
Result<KeyEntry> choose_key(const Context& context);

/// Encrypts and writes a new key; already_exists if the name is taken.
Result<KeyEntry> store_key(const std::filesystem::path& home, const std::string& name,
                           const SecretKey& key, const std::string& passphrase,
                           const ScryptCost& cost = {});

/// The secret: from the unlocked copy if there is one, otherwise with the passphrase
/// (read_passphrase), which costs a second.
Result<SecretKey> open_key(const Context& context, const KeyEntry& entry);

/// A key that a person has unlocked until a stated time: a file of mode 0600 in a folder of mode
/// 0700 on a tmpfs, so that it is never written to a disk and is gone after a restart.
struct Unlocked {
  SecretKey key;
  uint64_t expires_at_ms = 0;
  /// For the exchange that was joined when it was unlocked: signs requests in the key's stead.
  std::optional<SecretKey> login_key{};
  std::optional<net::LoginProof> login{};
  Hash32 login_exchange{};
};

/// Nothing if it is locked; an expired one is removed on the way.
Result<std::optional<Unlocked>> find_unlocked(const Address& address);
Result<void> keep_unlocked(const Unlocked& unlocked);
/// True if it was unlocked.
Result<bool> forget_unlocked(const Address& address);

}  // namespace mizan::cli
