// One fact from JSON: a plain value, "n/a", null, or {"value", "evidence"}.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json_fields.hpp"
#include "policy/case.hpp"

#include <string>
#include <string_view>

namespace mizan::policy {

/// A fact's parts before its value is read.
struct RawFact {
  Known known = Known::unknown;
  Evidence evidence = Evidence::proven;
  const json::value* value = nullptr;  ///< set if known
  std::string path;                    ///< of the value
};

/// `value` may be nullptr (the key is absent). A plain value has the evidence `plain`. An object
/// with a key "value" is taken as {"value", "evidence"}; "evidence" must be there then.
Result<RawFact> raw_fact(const json::value* value, const std::string& path,
                         Evidence plain = Evidence::proven);

/// Reads a fact, its value with `read(value, path) -> Result<T>`.
template <class T, class Read>
Result<Fact<T>> read_fact(const json::value* value, const std::string& path, Read&& read,
                          Evidence plain = Evidence::proven) {
  MIZAN_TRY(raw, raw_fact(value, path, plain));
  Fact<T> fact{raw.known, raw.evidence, T{}};
  if (raw.known == Known::known) {
    MIZAN_TRY(known, read(*raw.value, raw.path));
    fact.value = std::move(known);
  }
  return fact;
}

Result<Decimal> read_decimal(const json::value& value, std::string_view path);
Result<bool> read_yes_no(const json::value& value, std::string_view path);  ///< true or "yes", ...
Result<std::string> read_text(const json::value& value, std::string_view path);  ///< not empty
Result<Evidence> read_evidence(const json::value& value, std::string_view path);

/// The word's place in a list of words, or an error with the nearest.
Result<size_t> read_word(const json::value& value, std::string_view path, std::string_view what,
                         std::span<const std::string_view> words);

/// The known word nearest to another: one that begins like it, or that it begins with, the shortest
/// first, so that "H100" finds "H100 SXM" and not "H20"; else the fewest changed letters.
std::optional<std::string> closest(std::string_view word, const std::vector<std::string>& known);

}  // namespace mizan::policy
