// Countries by their two letters, and sets of them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/number.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mizan::policy {

/// Two capital letters as one number, 0 to 675; whether such a country exists, the rule set knows.
struct Country {
  uint16_t code = 0;
  MIZAN_FIELDS(code)
  friend auto operator<=>(const Country&, const Country&) = default;
};
inline constexpr size_t kCountryCodes = size_t{26} * 26;

constexpr std::optional<Country> country(std::string_view text) {
  if (text.size() != 2 || text[0] < 'A' || text[0] > 'Z' || text[1] < 'A' || text[1] > 'Z')
    return std::nullopt;
  return Country{static_cast<uint16_t>((text[0] - 'A') * 26 + (text[1] - 'A'))};
}
inline std::string to_string(Country value) {
  return {static_cast<char>('A' + value.code / 26), static_cast<char>('A' + value.code % 26)};
}

class CountrySet {
 public:
  void insert(Country value) { words_[value.code / 64] |= uint64_t{1} << (value.code % 64); }
  bool contains(Country value) const {
    return ((words_[value.code / 64] >> (value.code % 64)) & 1) != 0;
  }

 private:
  std::array<uint64_t, (kCountryCodes + 63) / 64> words_{};
};

/// The countries that a condition names, some of them only between two days (both inclusive).
struct CountryTest {
  struct Dated {
    Country country;
    Date from;
    Date until;
  };
  CountrySet always;
  std::vector<Dated> dated;
  CountrySet unverified;         ///< members whose membership no public copy confirmed
  bool list_unverified = false;  ///< the whole list is so, and with it who is not on it

  bool contains(Country value, Date date) const {
    if (always.contains(value)) return true;
    for (const Dated& member : dated)
      if (member.country == value && member.from <= date && date <= member.until) return true;
    return false;
  }
};

}  // namespace mizan::policy
