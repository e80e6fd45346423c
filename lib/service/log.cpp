#include "service/log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <unistd.h>

namespace mizan::service {
namespace {

constexpr size_t kMaxValue = 200;

void append_value(std::string& line, std::string_view value) {
  const bool plain =
      !value.empty() && value.size() <= kMaxValue && std::ranges::all_of(value, [](char c) {
        return c > ' ' && c < 127 && c != '"' && c != '\\' && c != '=';
      });
  if (plain) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value.substr(0, kMaxValue)) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c < ' ' || c >= 127) {
      line += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      line += c;
    }
  }
  line += value.size() > kMaxValue ? "...\"" : "\"";
}

}  // namespace

void Log::write(std::string_view level, std::string_view event, Fields fields) const {
  if (!sink_) return;
  const UnixMs now = clock_.now();
  const auto seconds = static_cast<std::time_t>(now.seconds());
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::string line = fmt::format("time={:%Y-%m-%dT%H:%M:%S}.{:03}Z level={} event={}", parts,
                                 now.ms % 1000, level, event);
  for (const auto& [name, value] : fields) {
    line += ' ';
    line += name;
    line += '=';
    append_value(line, value);
  }
  sink_(line);
}

Log::Sink stderr_sink() {
  return [](const std::string& line) {
    const std::string whole = line + "\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, whole.data(), whole.size());
  };
}

}  // namespace mizan::service
