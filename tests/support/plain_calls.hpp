// The plain contract's ABI: calls read, and what they do told in logs, as the real one's are.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/eip712.hpp"
#include "settlement/escrow_events.hpp"
#include "support/plain_contract.hpp"

namespace mizan::test {

/// What a call of one thing asks for; see run_call.
Result<Sent> read_call(const eip712::Domain& domain, const Address& clearance_key,
                       const Address& sender, ByteView data);

/// What a call did.
struct Ran {
  std::vector<settlement::Log> logs{};  ///< topics and data alone
  Bytes answer{};
};

/// Does what a call of the contract asks for, in a block of `now`. Those that an exchange sends are
/// known: open and close, alone and in batches, claim, requestCloseFor and finalizeClose.
/// Signatures are checked, of plain keys alone; the error of what reverts is named as the contract
/// names it, and nothing was done then.
Result<Ran> run_call(PlainContract& contract, const eip712::Domain& domain,
                     const Address& clearance_key, const Address& sender, ByteView data,
                     uint64_t now);

/// Topics and data alone.
settlement::Log log_of(const exchange::ChainFact& fact);

}  // namespace mizan::test
