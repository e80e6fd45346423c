// Exact numbers of the law: decimals and calendar days.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/fields.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace mizan::policy {

__extension__ typedef __int128 i128;

/// A number of at most nine decimals, from 0 to 100,000,000: value = nano / 10^9. Products of two
/// fit in an i128, so thresholds are compared exactly.
struct Decimal {
  int64_t nano = 0;
  MIZAN_FIELDS(nano)
  friend auto operator<=>(const Decimal&, const Decimal&) = default;
};
inline constexpr int64_t kNano = 1'000'000'000;

/// Digits, at most one point, an exponent as JSON has it. A sign, more than nine decimals that are
/// not zero, or a number above 100,000,000 is an error, which says so.
Result<Decimal> parse_decimal(std::string_view text);

/// The shortest spelling: "989.5", "814".
std::string to_string(Decimal value);

/// A day of the Gregorian calendar, ordered; 0 stands for no day.
struct Date {
  int32_t yyyymmdd = 0;
  MIZAN_FIELDS(yyyymmdd)
  friend auto operator<=>(const Date&, const Date&) = default;
};
inline constexpr Date kFirstDay{0};
inline constexpr Date kLastDay{99991231};

/// "YYYY-MM-DD" of a day that exists, from 1900 to 9999.
Result<Date> parse_date(std::string_view text);
std::string to_string(Date date);
/// The day in UTC.
Date date_of(UnixMs time);

/// The JSON text with every number that has a point or an exponent written as a string, so that it
/// is read as an exact decimal and not as a binary fraction. What is not JSON stays what it is.
std::string quote_decimals(std::string_view json);

}  // namespace mizan::policy
