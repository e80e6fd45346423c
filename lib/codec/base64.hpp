// Base64 (RFC 4648, with padding): bytes inside JSON and headers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

namespace mizan {

std::string base64(ByteView bytes);
/// Refuses everything that `base64` does not write: other characters, white space, missing padding,
/// spare bits.
Result<std::string> parse_base64(std::string_view text);

}  // namespace mizan
