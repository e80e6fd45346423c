// What a home knows of its chain: the file chain.json, written by `mizan contract`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/money.hpp"
#include "crypto/eip712.hpp"
#include "mizan/files.hpp"

namespace mizan::cli {

struct ChainSettings {
  std::string node;  ///< URL, which may hold a secret
  uint64_t chain_id = 0;
  Address contract{};
  Address token{};
  uint8_t decimals = 0;     ///< of the token, 6 to 18
  uint64_t from_block = 0;  ///< the contract is not older
  uint64_t depth = 2;       ///< blocks on top of one that counts

  eip712::Domain domain() const { return eip712::Domain::evm(chain_id, contract); }
};

/// Whether blocks of that depth are ever waited for; `field` is named in the error.
Result<void> check_depth(uint64_t depth, const std::string& field);
/// not_found says how to make one.
Result<ChainSettings> load_chain(const fs::path& home);
Result<void> save_chain(const fs::path& home, const ChainSettings& chain);

/// Nano-USD to the token's base units; what is smaller than a unit is an error, not rounded.
Result<u128> units_from(Money money, uint8_t decimals);
/// The same rounded down, as the contract does with what is signed.
u128 whole_units(Money money, uint8_t decimals);
/// For people, whole: "$12.345678" even where that is finer than nano-USD.
std::string format_units(u128 units, uint8_t decimals);

}  // namespace mizan::cli
