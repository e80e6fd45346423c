// Why a call reverted, as a sentence.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "settlement/abi.hpp"

namespace mizan::settlement {

/// What a reverted call returned: a custom error of the contract or of the token, a plain reason,
/// or nothing. details["revert"] has the error's name. What is not known is `conflict` with its
/// first bytes.
Error decode_revert(ByteView data);
/// The same for an item that a batch skipped.
Error decode_revert(const Selector& reason);

/// The name of the error whose sentence this is, as a code: "bid_expired"; "" for another text.
std::string revert_code(std::string_view message);
/// The sentence of a code of revert_code; "" for another text.
std::string_view revert_sentence(std::string_view code);

}  // namespace mizan::settlement
