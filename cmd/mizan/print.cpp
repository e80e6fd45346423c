#include "mizan/print.hpp"

#include "crypto/address.hpp"

#include <fmt/format.h>

#include <array>
#include <ctime>

namespace mizan::cli {

std::string short_id(const Hash32& id) {
  return hex0x(id.view()).substr(0, 12);
}

std::string short_address(const Address& address) {
  const std::string text = to_checksum(address);
  return text.substr(0, 6) + "…" + text.substr(text.size() - 4);
}

std::string usd_hour(Rate rate) {
  return format_usd_hour(rate) + " an hour";
}

std::string duration(uint64_t seconds) {
  const uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
  if (days > 0) return fmt::format("{} d {} h", days, hours % 24);
  if (hours > 0) return fmt::format("{} h {:02} min", hours, minutes % 60);
  if (minutes > 0) return fmt::format("{} min {:02} s", minutes, seconds % 60);
  return fmt::format("{} s", seconds);
}

std::string ago(uint64_t now_ms, uint64_t then_ms) {
  return duration(now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0) + " ago";
}

std::string utc(uint64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return {text.data(), length};
}

std::string bytes_text(uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits{"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

Style state_style(const std::string& state) {
  if (state == "settled" || state == "running") return Style::green;
  if (state == "failed") return Style::red;
  return Style::yellow;
}

void print_json(const json::value& value) {
  const std::string text = json_text(value) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace mizan::cli
