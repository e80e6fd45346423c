// EIP-55 addresses: how a pseudonym is spelled.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

namespace mizan {

/// "0x" and 40 hex digits whose case is the checksum of EIP-55.
std::string to_checksum(const Address& address);

/// Reads "0x" and 40 hex digits: all in lower case, or with the right checksum. A wrong checksum is
/// an error, so that a mistyped address is not taken for another party's.
Result<Address> parse_address(std::string_view text);

}  // namespace mizan
