// The exchange's three keys, in its state folder; and the one that pays for gas.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/eip712.hpp"
#include "crypto/keystore.hpp"

#include <filesystem>

namespace mizan::service {

struct ExchangeKeys {
  SecretKey identity;   ///< acknowledgements, receipts
  SecretKey meter;      ///< vouchers
  SecretKey clearance;  ///< that policy allowed a lease

  /// keccak256("mizan-exchange" || identity address): the exchange's id and the salt of credits'
  /// domain.
  Hash32 exchange_id() const;
};

ExchangeKeys generate_keys();

/// Opens keys/{identity,meter,clearance}.json below `state` with the passphrase in
/// `passphrase_file` (mode 0600); makes the folder with all three when it is not there. With an
/// empty `passphrase_file` it is keys/passphrase, which is made too. A folder that lacks a key is
/// `corrupted`: a new identity would be another exchange.
Result<ExchangeKeys> open_keys(const std::filesystem::path& state,
                               const std::filesystem::path& passphrase_file,
                               const ScryptCost& cost = {});

/// Opens keys/gas.json, or makes it, in the folder that open_keys made: an account on the chain
/// that pays for transactions. It signs nothing else, so that another one is as good.
Result<SecretKey> open_gas_key(const std::filesystem::path& state,
                               const std::filesystem::path& passphrase_file,
                               const ScryptCost& cost = {});

}  // namespace mizan::service
