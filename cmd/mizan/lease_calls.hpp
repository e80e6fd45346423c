// A lease's calls of the contract, from its file; and what the contract says of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mizan/chain_session.hpp"
#include "mizan/lease_file.hpp"

namespace mizan::cli {

/// The data of a call that `sender` sends. An error (invalid_argument) names what the file lacks
/// for it.
Result<Bytes> open_data(const LeaseFile& file, const Address& sender);
Result<Bytes> claim_data(const LeaseFile& file, const Address& sender);
Result<Bytes> close_data(const LeaseFile& file, const Address& sender);
Result<Bytes> request_data(const LeaseFile& file, const Address& sender);
Result<Bytes> finalize_data(const LeaseFile& file, const Address& sender);

struct LeaseToSign {
  fs::path file;          ///< where the lease file with the signed message goes
  std::string in = "0s";  ///< of a stop: the time until a watcher is to bring it
};
/// Signs "close" as the provider, for no less than the file's voucher, or "request-close" as the
/// buyer, good for a day from its time on.
Result<int> sign_lease(const Context& context, const fs::path& path, const std::string& what,
                       const LeaseToSign& how);

struct LeaseOnChain {
  uint64_t opened = 0;  ///< seconds since 1970; 0: it is not open
  uint64_t stop = 0;    ///< of the buyer's; 0: none
  u128 claimed = 0;     ///< base units
};
Result<LeaseOnChain> look(ChainReader& reader, const ChainSettings& chain, const LeaseId& lease);

/// Whether the file's voucher pays anything beyond what was claimed, at that time of the chain.
bool claim_adds(const LeaseFile& file, const LeaseOnChain& found, uint8_t decimals, uint64_t now);

/// Under which the outbox knows the call `what` ("open", "claim", ...): a lease opens, closes and
/// stops once, and each voucher is claimed once; again where claim_adds.
std::string send_id(const std::string& what, const LeaseId& lease, const LeaseFile& file);

}  // namespace mizan::cli
