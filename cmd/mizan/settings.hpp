// What a home knows of its exchange: the file config.json, written by `mizan join`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "crypto/eip712.hpp"
#include "mizan/files.hpp"

#include <string>

namespace mizan::cli {

/// keccak256("mizan-exchange" || identity): an exchange's id is that of its identity key.
Hash32 exchange_id_of(const Address& identity);

/// GET /v1/exchange, as far as the buyer's commands need it.
struct ExchangeInfo {
  Hash32 id;
  Address identity;   ///< signs acknowledgements and receipts
  Address meter;      ///< signs vouchers
  Address clearance;  ///< signs clearances
  Address operator_;  ///< signs grants
  uint16_t fee_bps = 0;
  uint64_t voucher_interval_seconds = 0;
  uint64_t readiness_seconds = 0;
  eip712::Domain signing;  ///< in which everything is signed
  std::string settlement;  ///< "credits" or "evm"
  std::string rule_set;    ///< in hex
  uint64_t time_ms = 0;    ///< the exchange's clock when it answered

  const eip712::Domain& domain() const { return signing; }
};

/// Unknown fields are passed over: the exchange may be newer. An id that is not the hash of the
/// identity key is refused.
Result<ExchangeInfo> read_exchange_info(const boost::json::value& value);

struct Settings {
  std::string exchange;     ///< URL; "" until joined
  std::string ca;           ///< PEM file of its authority; "" trusts the system's
  Hash32 exchange_id;       ///< of that exchange: another one at the same URL is refused
  eip712::Domain domain{};  ///< of that exchange: another contract is refused
  std::string key;          ///< the name of the key to act with; "" is the only one
};

/// The settings of `home`; those of a new home if there is no file.
Result<Settings> load_settings(const fs::path& home);
Result<void> save_settings(const fs::path& home, const Settings& settings);

}  // namespace mizan::cli
