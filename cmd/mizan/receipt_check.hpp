// Checks a receipt bundle with nothing but itself: signatures, sums, rate x time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/payee.hpp"
#include "crypto/eip712.hpp"

#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <vector>

namespace mizan::cli {

/// The bundle of docs/PROTOCOL.md ("mizan-receipt-1").
struct ReceiptBundle {
  Hash32 exchange_id;
  eip712::Domain domain;  ///< in which all of it is signed
  Address identity;
  Address meter;
  Address clearance_signer;
  eip712::Bid bid;
  Signature bid_signature;
  eip712::Terms terms;
  Signature terms_signature;
  std::vector<Payee> payees{};
  eip712::Clearance clearance;
  Signature clearance_signature;
  std::optional<eip712::Voucher> voucher;
  Signature voucher_signature;
  std::optional<eip712::Close> close;
  Signature close_signature;
  eip712::Receipt receipt;
  Signature receipt_signature;

  uint64_t units() const { return uint64_t{terms.node_count} * terms.units_per_node; }
};

/// Errors name the field that is missing or malformed.
Result<ReceiptBundle> read_receipt(const boost::json::value& value);

struct ReceiptFinding {
  std::string what;  ///< the rule, as a sentence
  bool holds = false;
  std::string why{};  ///< when it does not hold
};

/// Every rule, in order, held or not. `expected_exchange` is the one that the reader trusts:
/// without it nobody says that the bundle's own identity key is an exchange's.
std::vector<ReceiptFinding> check_receipt(const ReceiptBundle& bundle,
                                          const std::optional<Hash32>& expected_exchange);

}  // namespace mizan::cli
