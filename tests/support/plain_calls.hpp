// The plain contract's ABI: calls read, and what they do told in logs, as the real one's are.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/eip712.hpp"
#include "settlement/escrow_events.hpp"
#include "support/plain_contract.hpp"

namespace mizan::test {

/// What a call of the contract asks for. Those that an exchange sends are known: open, claim,
/// close, requestCloseFor and finalizeClose. Signatures are checked, of plain keys alone; the error
/// of one that is not right is named as the contract names it.
Result<Sent> read_call(const eip712::Domain& domain, const Address& clearance_key,
                       const Address& sender, ByteView data);

/// Topics and data alone.
settlement::Log log_of(const exchange::ChainFact& fact);

}  // namespace mizan::test
