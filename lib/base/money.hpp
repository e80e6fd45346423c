// Money: an amount in nano-USD; Rate: nano-USD per unit-second. Integers only.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/checked.hpp"
#include "base/ensure.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace mizan {

/// An amount in nano-USD (1 USD = 1,000,000,000), never negative. The operators stop the process
/// on a wrap or on a result below zero; where that can come from outside, use `add`, `sub`, `mul`.
struct Money {
  u128 nano = 0;

  friend bool operator==(const Money&, const Money&) = default;
  friend std::strong_ordering operator<=>(const Money& a, const Money& b) {
    return a.nano < b.nano   ? std::strong_ordering::less
           : a.nano > b.nano ? std::strong_ordering::greater
                             : std::strong_ordering::equal;
  }
  friend Result<Money> add(Money a, Money b) {
    return checked_add(a.nano, b.nano).map([](u128 n) { return Money{n}; });
  }
  friend Result<Money> sub(Money a, Money b) {
    return checked_sub(a.nano, b.nano).map([](u128 n) { return Money{n}; });
  }
  friend Result<Money> mul(Money a, u128 times) {
    return checked_mul(a.nano, times).map([](u128 n) { return Money{n}; });
  }
  Money& operator+=(Money other) {
    ensure(!__builtin_add_overflow(nano, other.nano, &nano), "a sum of money fits 128 bits");
    return *this;
  }
  Money& operator-=(Money other) {
    ensure(!__builtin_sub_overflow(nano, other.nano, &nano), "money never goes below zero");
    return *this;
  }
  friend Money operator+(Money a, Money b) { return a += b; }
  friend Money operator-(Money a, Money b) { return a -= b; }
};

/// A price: nano-USD per unit-second. $2.50 a unit-hour is 694,444 (rounded down).
struct Rate {
  u128 nano = 0;
  friend bool operator==(const Rate&, const Rate&) = default;
  friend std::strong_ordering operator<=>(const Rate& a, const Rate& b) {
    return Money{a.nano} <=> Money{b.nano};
  }
};

/// rate x units x seconds, exactly; an error if it does not fit 128 bits.
Result<Money> cost(Rate rate, uint64_t units, uint64_t seconds);

/// A decimal string of nano-USD, as the API spells amounts: "694444". No sign, no leading zero.
std::string to_string(u128 value);
inline std::string to_string(Money money) { return to_string(money.nano); }
inline std::string to_string(Rate rate) { return to_string(rate.nano); }
Result<u128> parse_u128(std::string_view decimal);

/// "12.345678901" USD to nano-USD, exactly: more than nine decimals are an error, not a rounding.
Result<Money> parse_usd(std::string_view usd);

/// For people: "$12.345678901" without trailing zeros but at least two decimals ("$12.30").
std::string format_usd(Money money);

/// USD a unit-hour to nano-USD a unit-second, rounded down (in favour of the payer when it is a
/// bid's highest rate; a provider's ask loses under one nano-USD a second).
Result<Rate> rate_from_usd_hour(std::string_view usd_per_hour);
/// nano-USD a unit-second to USD a unit-hour, exactly (x 3600).
std::string format_usd_hour(Rate rate);

}  // namespace mizan
