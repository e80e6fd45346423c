#include "policy/number.hpp"

#include <algorithm>

namespace mizan::policy {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

tl::unexpected<Error> not_a_number() {
  return fail(ErrorCode::invalid_argument, "expected a number that is 0 or more, such as 989.5");
}

// The exponent after 'e', within -20 .. 20.
Result<int> parse_exponent(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.empty() || text.size() > 2 || !std::all_of(text.begin(), text.end(), is_digit))
    return not_a_number();
  int value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  if (value > 20) return not_a_number();
  return negative ? -value : value;
}

bool is_leap(int year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int days_in_month(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays[month - 1];
}

}  // namespace

Result<Decimal> parse_decimal(std::string_view text) {
  int exponent = 0;
  if (const size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    MIZAN_TRY(parsed, parse_exponent(text.substr(e + 1)));
    exponent = parsed;
    text = text.substr(0, e);
  }
  std::string digits;
  int decimals = 0;
  bool point = false;
  for (const char c : text) {
    if (c == '.') {
      if (point || digits.empty()) return not_a_number();
      point = true;
    } else if (is_digit(c)) {
      digits.push_back(c);
      if (point) ++decimals;
    } else {
      return not_a_number();
    }
  }
  if (digits.empty() || (point && decimals == 0) || digits.size() > 40) return not_a_number();
  // value = digits x 10^(exponent - decimals); nano = digits x 10^(9 + exponent - decimals)
  int shift = 9 + exponent - decimals;
  for (; shift < 0; ++shift) {
    if (digits.back() != '0')
      return fail(ErrorCode::invalid_argument, "a number has at most nine decimals here");
    digits.pop_back();
    if (digits.empty()) digits = "0";
  }
  constexpr i128 kMost = i128{100'000'000} * kNano;
  i128 nano = 0;
  for (size_t i = 0; i < digits.size() + static_cast<size_t>(shift); ++i) {
    nano = nano * 10 + (i < digits.size() ? digits[i] - '0' : 0);
    if (nano > kMost)
      return fail(ErrorCode::invalid_argument, "a number is at most 100000000 here");
  }
  return Decimal{static_cast<int64_t>(nano)};
}

std::string to_string(Decimal value) {
  std::string text = std::to_string(value.nano / kNano);
  std::string fraction = std::to_string(value.nano % kNano);
  fraction.insert(0, 9 - fraction.size(), '0');
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  return fraction.empty() ? text : text + "." + fraction;
}

Result<Date> parse_date(std::string_view text) {
  const auto bad = [] {
    return fail(ErrorCode::invalid_argument, "expected a day that exists, as YYYY-MM-DD");
  };
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return bad();
  int32_t number = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == 4 || i == 7) continue;
    if (!is_digit(text[i])) return bad();
    number = number * 10 + (text[i] - '0');
  }
  const int year = number / 10000;
  const int month = number / 100 % 100;
  const int day = number % 100;
  if (year < 1900 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
    return bad();
  return Date{number};
}

std::string to_string(Date date) {
  std::string digits = std::to_string(date.yyyymmdd);
  if (digits.size() != 8) return digits;
  return digits.substr(0, 4) + "-" + digits.substr(4, 2) + "-" + digits.substr(6, 2);
}

Date date_of(UnixMs time) {
  uint64_t days = time.seconds() / 86400;
  int year = 1970;
  for (;; ++year) {
    const uint64_t length = is_leap(year) ? 366 : 365;
    if (days < length || year == 9999) break;
    days -= length;
  }
  int month = 1;
  for (; month < 12 && days >= static_cast<uint64_t>(days_in_month(year, month)); ++month)
    days -= static_cast<uint64_t>(days_in_month(year, month));
  const int day = static_cast<int>(std::min<uint64_t>(days, 30)) + 1;
  return Date{year * 10000 + month * 100 + day};
}

std::string quote_decimals(std::string_view json) {
  std::string out;
  out.reserve(json.size() + 16);
  for (size_t i = 0; i < json.size();) {
    const size_t start = i;
    if (json[i] == '"') {
      for (++i; i < json.size() && json[i] != '"'; ++i)
        if (json[i] == '\\') ++i;
      i = std::min(i + 1, json.size());
      out += json.substr(start, i - start);
    } else if (is_digit(json[i]) || json[i] == '-') {
      i = std::min(json.find_first_not_of("0123456789+-.eE", i), json.size());
      const std::string_view token = json.substr(start, i - start);
      const bool whole = token.find_first_of(".eE") == std::string_view::npos;
      if (!whole) out.push_back('"');
      out += token;
      if (!whole) out.push_back('"');
    } else {
      out.push_back(json[i++]);
    }
  }
  return out;
}

}  // namespace mizan::policy
