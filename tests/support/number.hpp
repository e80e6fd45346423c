// A whole number that whoever runs a test may give it in an environment variable.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace mizan::test {

/// What the variable says, or nothing if it is not set; ends the test with exit code 2 and a
/// sentence where that is no whole number.
inline std::optional<uint64_t> given_number(const char* variable) {
  const char* set = std::getenv(variable);
  if (set == nullptr) return std::nullopt;
  const std::string_view text(set);
  uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault == std::errc{} && end == text.data() + text.size()) return number;
  std::fprintf(stderr, "%s is a whole number, and not \"%s\"\n", variable, set);
  std::exit(2);
}

}  // namespace mizan::test
