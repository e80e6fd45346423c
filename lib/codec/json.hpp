// JSON text: parsed within limits, written canonically.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace mizan {

namespace json = boost::json;

struct JsonLimits {
  size_t max_bytes = 1 << 20;
  size_t max_depth = 16;
  /// Numbers with a fraction or an exponent are refused, but for documents of others that may have
  /// them: no value of Mizan does.
  bool allow_fractions = false;
};

/// The value of a whole JSON text (RFC 8259). Refused: more than the limits (too_large), duplicate
/// keys, fractions, integers outside -2^63 .. 2^64-1, invalid UTF-8, anything after the value
/// (invalid_argument). `what` names the text in messages ("the body").
Result<json::value> parse_json(std::string_view text, const JsonLimits& limits = {},
                               std::string_view what = "the JSON");

/// The text of a value, compact, in the keys' own order. The value holds no fractions or was parsed
/// with allow_fractions.
std::string json_text(const json::value& value);

/// The one spelling that is hashed: keys in the order of their bytes, no spaces, integers only (a
/// fraction is an error), strings as UTF-8 with the short escapes (\" \\ \b \f \n \r \t) and \u00xx
/// for the other control characters. Python: json.dumps(v, sort_keys=True, ensure_ascii=False,
/// separators=(",", ":")).
Result<std::string> canonical_json(const json::value& value);

/// The SHA-256 of a text, for files that people hash with other tools (rule sets).
Hash32 text_sha256(std::string_view text);

/// The Keccak-256 of the canonical text.
Result<Hash32> canonical_json_hash(const json::value& value);

}  // namespace mizan
