// ExchangeFacts: what an agent holds its exchange to.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/eip712.hpp"

#include <optional>
#include <string_view>

namespace mizan::provider {

/// Of `GET /v1/exchange`. The identity is kept from the first meeting on: another one later is
/// another exchange, whatever its address.
struct ExchangeFacts {
  Hash32 id;  ///< the salt of the domain of kind credits
  Address identity;
  Address meter;
  Address clearance;
  uint16_t fee_bps = 0;
  uint64_t voucher_interval_s = 10;
  uint64_t readiness_s = 60;
  uint64_t time_ms = 0;  ///< its clock when it answered; 0 if it did not say

  std::optional<eip712::Domain> chain{};  ///< the domain, if it settles on a chain

  eip712::Domain domain() const { return chain.value_or(eip712::Domain::credits(id)); }
};

/// Reads the answer of `GET /v1/exchange`; `id` must follow from `identity`. Fields that an agent
/// does not need are passed over.
Result<ExchangeFacts> parse_exchange(std::string_view text);

}  // namespace mizan::provider
