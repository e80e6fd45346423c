#include "base/money.hpp"

#include <algorithm>

namespace mizan {
namespace {

constexpr u128 kNanoPerUsd = 1'000'000'000;
constexpr size_t kDecimals = 9;
constexpr u128 kSecondsPerHour = 3600;

}  // namespace

Result<Money> cost(Rate rate, uint64_t units, uint64_t seconds) {
  return mul(Money{rate.nano}, units).and_then([&](Money m) { return mul(m, seconds); });
}

std::string to_string(u128 value) {
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value != 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

Result<u128> parse_u128(std::string_view decimal) {
  if (decimal.empty() || (decimal.size() > 1 && decimal[0] == '0'))
    return fail(ErrorCode::invalid_argument, "an amount is a decimal number without leading zeros");
  u128 value = 0;
  for (char c : decimal) {
    if (c < '0' || c > '9')
      return fail(ErrorCode::invalid_argument, "an amount holds decimal digits only");
    if (__builtin_mul_overflow(value, static_cast<u128>(10), &value) ||
        __builtin_add_overflow(value, static_cast<u128>(c - '0'), &value))
      return fail(ErrorCode::overflow, "an amount does not fit 128 bits");
  }
  return value;
}

Result<Money> parse_usd(std::string_view usd) {
  if (!usd.empty() && usd[0] == '$') usd.remove_prefix(1);
  const size_t dot = usd.find('.');
  std::string_view whole = usd.substr(0, dot);
  std::string_view part = dot == std::string_view::npos ? "" : usd.substr(dot + 1);
  if (part.size() > kDecimals)
    return fail(ErrorCode::invalid_argument, "an amount in USD has at most nine decimals");
  if (dot != std::string_view::npos && part.empty())
    return fail(ErrorCode::invalid_argument, "an amount in USD has digits after its point");
  std::string padded(part);
  padded.resize(kDecimals, '0');
  while (padded.size() > 1 && padded[0] == '0') padded.erase(0, 1);
  MIZAN_TRY(dollars, parse_u128(whole.empty() && !part.empty() ? "0" : whole));
  MIZAN_TRY(nano, parse_u128(padded));
  MIZAN_TRY(scaled, checked_mul(dollars, kNanoPerUsd));
  MIZAN_TRY(total, checked_add(scaled, nano));
  return Money{total};
}

std::string format_usd(Money money) {
  std::string part = to_string(money.nano % kNanoPerUsd);
  part.insert(0, kDecimals - part.size(), '0');
  while (part.size() > 2 && part.back() == '0') part.pop_back();
  return "$" + to_string(money.nano / kNanoPerUsd) + "." + part;
}

Result<Rate> rate_from_usd_hour(std::string_view usd_per_hour) {
  return parse_usd(usd_per_hour).map([](Money m) { return Rate{m.nano / kSecondsPerHour}; });
}

std::string format_usd_hour(Rate rate) {
  auto hourly = mul(Money{rate.nano}, kSecondsPerHour);
  return hourly ? format_usd(*hourly) : "more than can be shown";
}

}  // namespace mizan
