#include "market/fields.hpp"

namespace mizan::market {

std::optional<Field> find_field(std::string_view name) {
  for (size_t i = 0; i < kFields; ++i)
    if (kFieldNames[i] == name) return static_cast<Field>(i);
  return std::nullopt;
}

std::optional<Milli> parse_milli(std::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  const size_t point = text.find('.');
  std::string_view whole = text.substr(0, point);
  std::string_view part = point == std::string_view::npos ? "" : text.substr(point + 1);
  if (whole.empty() || part.size() > 3 || (point != std::string_view::npos && part.empty()))
    return std::nullopt;
  int64_t value = 0;
  for (const char c : whole) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
    if (value > kMostNumber) return std::nullopt;
  }
  for (size_t i = 0; i < 3; ++i) {
    const char c = i < part.size() ? part[i] : '0';
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return negative ? -value : value;
}

std::string format_milli(Milli value) {
  std::string out = value < 0 ? "-" : "";
  const int64_t size = value < 0 ? -value : value;
  out += std::to_string(size / 1000);
  if (size % 1000 != 0) {
    std::string part = std::to_string(size % 1000);
    part.insert(0, 3 - part.size(), '0');
    while (part.back() == '0') part.pop_back();
    out += "." + part;
  }
  return out;
}

}  // namespace mizan::market
