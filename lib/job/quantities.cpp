// Durations and sizes as job files spell them.
#include "job/job_file.hpp"

#include <array>
#include <charconv>

namespace mizan::job {
namespace {

struct Suffix {
  std::string_view text;
  uint64_t factor;
};
constexpr std::array<Suffix, 5> kDurations = {
    {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}, {"w", 604'800}}};
constexpr std::array<Suffix, 8> kSizes = {
    {{"", 1}, {"G", 1}, {"GB", 1}, {"Gi", 1}, {"GiB", 1}, {"T", 1024}, {"TB", 1024}, {"Ti", 1024}}};

tl::unexpected<Error> bad_quantity(const std::string& field, const std::string& what) {
  return fail(Error{ErrorCode::invalid_argument, field + ": " + what}.with("field", field));
}

/// Takes the digits at the front of `text`; nothing if there are none or too many.
std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number <= 1'000'000'000 ? std::optional(number) : std::nullopt;
}

}  // namespace

Result<uint64_t> parse_duration(std::string_view text, const std::string& field) {
  const std::string spelled(text);
  const auto refuse = [&] {
    return bad_quantity(
        field, "\"" + spelled + "\" is no duration; write seconds, or like 90s, 10m, 12h, 2d");
  };
  uint64_t total = 0;
  bool first = true;
  while (first || !text.empty()) {
    const auto number = take_number(text);
    if (!number) return refuse();
    if (first && text.empty()) {
      total = *number;  // a bare number is seconds
      break;
    }
    first = false;
    uint64_t factor = 0;
    for (const Suffix& suffix : kDurations)
      if (text.starts_with(suffix.text)) factor = suffix.factor;
    if (factor == 0) return refuse();
    text.remove_prefix(1);
    total += *number * factor;
  }
  if (total == 0 || total > kSecondsMax)
    return bad_quantity(field, "must be between one second and 366 days");
  return total;
}

Result<uint64_t> parse_gigabytes(std::string_view text, const std::string& field) {
  const std::string spelled(text);
  if (text.ends_with('+')) text.remove_suffix(1);
  const auto number = take_number(text);
  uint64_t factor = 0;
  for (const Suffix& suffix : kSizes)
    if (text == suffix.text) factor = suffix.factor;
  if (!number || factor == 0)
    return bad_quantity(field,
                        "\"" + spelled + "\" is no size; write whole gigabytes, like 64 or 64+");
  if (*number == 0 || *number * factor > kGigabytesMax)
    return bad_quantity(field, "must be between 1 and 1000000 gigabytes");
  return *number * factor;
}

}  // namespace mizan::job
