// UTF-8 (RFC 3629): the only texts that JSON holds.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace mizan {

/// No overlong form, no surrogate, nothing above U+10FFFF, nothing cut short.
bool is_utf8(std::string_view text);
/// The text with a '?' for each byte that is no part of a character: for messages that name what a
/// stranger sent.
std::string printable_utf8(std::string_view text);

}  // namespace mizan
