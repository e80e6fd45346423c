// Whether a command was signed by whom it speaks for: asked before it enters the journal.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/command.hpp"
#include "exchange/exchange.hpp"

namespace mizan::exchange {

/// Checks the command's signature and the hashes of the texts that it signs (attributes, spec). The
/// signer of Close is the provider of the lease, that of RequestClose its buyer, that of vouchers
/// the configured meter, that of SetPolicy the operator; Decide, ListParty and FileLicence name
/// their officer, and whether it is one `apply` says. SetPolicy is not_found where its rule set is
/// not known; ProveFacts was verified by whoever made it. Errors: unauthenticated, not_found (no
/// such lease), invalid_argument (a text that is not what was signed). Commands without a signature
/// pass. Needs nothing but reads; safe beside other readers.
Result<void> verify(const Command& command, const Exchange& exchange);

}  // namespace mizan::exchange
