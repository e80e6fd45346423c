// The exchange's three keys, in its state folder.
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

  /// keccak256("mizan-exchange" || identity address): the exchange's id and its domain's salt.
  Hash32 exchange_id() const;
  eip712::Domain domain() const { return eip712::Domain::credits(exchange_id()); }
};

ExchangeKeys generate_keys();

/// Opens keys/{identity,meter,clearance}.json below `state` with the passphrase in
/// `passphrase_file` (mode 0600); makes the folder with all three when it is not there. With an
/// empty `passphrase_file` it is keys/passphrase, which is made too. A folder that lacks a key is
/// `corrupted`: a new identity would be another exchange.
Result<ExchangeKeys> open_keys(const std::filesystem::path& state,
                               const std::filesystem::path& passphrase_file,
                               const ScryptCost& cost = {});

}  // namespace mizan::service
