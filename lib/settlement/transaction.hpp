// Transactions of EIP-1559, signed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/checked.hpp"
#include "base/fields.hpp"
#include "crypto/key.hpp"

#include <optional>

namespace mizan::settlement {

/// In wei a unit of gas.
struct Fees {
  u128 most = 0;  ///< base fee and tip together
  u128 tip = 0;
  friend bool operator==(const Fees&, const Fees&) = default;
  MIZAN_FIELDS(most, tip)
};

/// What a transaction does; no `to` creates a contract.
struct Call {
  std::optional<Address> to{};
  u128 value = 0;  ///< wei
  Bytes data{};
  friend bool operator==(const Call&, const Call&) = default;
  MIZAN_FIELDS(to, value, data)
};

struct Transaction {
  uint64_t chain_id = 0;
  uint64_t nonce = 0;
  Fees fees;
  uint64_t gas = 0;
  Call call;
};

struct SignedTransaction {
  Bytes raw;    ///< as eth_sendRawTransaction takes it
  Hash32 hash;  ///< by which the chain knows it
};

/// The same bytes each time it is asked for: signatures are deterministic.
SignedTransaction sign(const Transaction& transaction, const SecretKey& key);

/// The address of the contract that `sender`'s transaction `nonce` creates.
Address created_by(const Address& sender, uint64_t nonce);

}  // namespace mizan::settlement
