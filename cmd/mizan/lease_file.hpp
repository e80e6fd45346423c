// A lease's signed messages in one file: what a receipt bundle holds, or a part of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "crypto/eip712.hpp"
#include "mizan/files.hpp"
#include "settlement/escrow_calls.hpp"

#include <optional>

namespace mizan::cli {

/// Names are those of the receipt bundle (docs/PROTOCOL.md); beside them "payees"
/// ([{"to", "bps"}]), where the terms have some; "requestClose" with "requestCloseSignature", which
/// the buyer lodged, and "stopAt", from when on (seconds since 1970) a watcher is to bring it.
/// An agent's own record of a lease (state_dir/agent/lease-ID of a provider) is such a file too,
/// whose voucher is "vouchered" with "voucherSignature". Other names are passed over.
struct LeaseFile {
  eip712::Terms terms;
  std::optional<Signature> terms_signature;
  std::optional<eip712::Bid> bid;
  std::optional<Signature> bid_signature;
  std::optional<eip712::Clearance> clearance;
  std::optional<Signature> clearance_signature;
  std::optional<eip712::Voucher> voucher;
  std::optional<Signature> voucher_signature;
  std::optional<eip712::Close> close;
  std::optional<Signature> close_signature;
  std::optional<eip712::RequestClose> request_close;
  std::optional<Signature> request_close_signature;
  std::optional<uint64_t> stop_at;
  std::vector<Payee> payees;
};

/// Refuses a message about another lease than the terms', in `domain`.
Result<LeaseFile> read_lease_file(const fs::path& path, const eip712::Domain& domain);

/// Of a lease as the exchange tells it: what its buyer needs to leave it at the contract, without
/// the exchange. Nothing is written of terms that are not the lease's.
Result<void> keep_lease_file(const fs::path& path, const eip712::Domain& domain,
                             const eip712::Bid& bid, const Signature& bid_signature,
                             const json::value& lease);

}  // namespace mizan::cli
