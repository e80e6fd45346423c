// The fields of the query language, and the attributes of an offer's nodes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mizan::market {

/// Numbers first, then words, then the one list.
enum class Field : uint8_t {
  units,  ///< of a node
  nodes,
  rate,  ///< nano-USD a unit-second
  notice_s,
  reliability,  ///< 0 to 1: share of leases ended well
  memory_gb,    ///< memory_gb, cores, disk_gb: of the slice that the bid would get
  cores,
  disk_gb,
  device_memory_gb,  ///< of one accelerator
  chip,
  maker,
  country,
  network,
  measured,  ///< "true": no attribute is merely self-reported
  cached     ///< digests of images that the node has
};
inline constexpr size_t kNumbers = 9;
inline constexpr size_t kWords = 5;
inline constexpr size_t kFields = kNumbers + kWords + 1;

inline constexpr std::array<std::string_view, kFields> kFieldNames = {
    "units",     "nodes",   "rate",    "notice_s",         "reliability",
    "memory_gb", "cores",   "disk_gb", "device_memory_gb", "chip",
    "maker",     "country", "network", "measured",         "cached"};

constexpr std::string_view to_string(Field field) {
  return kFieldNames[static_cast<size_t>(field)];
}
std::optional<Field> find_field(std::string_view name);

constexpr bool is_number(Field field) {
  return static_cast<size_t>(field) < kNumbers;
}
constexpr bool is_word(Field field) {
  return !is_number(field) && field != Field::cached;
}
/// Whether a bid for part of a node gets only that part of it.
constexpr bool is_sliced(Field field) {
  return field == Field::memory_gb || field == Field::cores || field == Field::disk_gb;
}
constexpr size_t number_index(Field field) {
  return static_cast<size_t>(field);
}
constexpr size_t word_index(Field field) {
  return static_cast<size_t>(field) - kNumbers;
}

/// A number of the language in thousandths: exact, and three decimals are all it knows.
using Milli = int64_t;
inline constexpr Milli kUnknown = std::numeric_limits<Milli>::min();
inline constexpr int64_t kMostNumber = 1'000'000'000'000'000;  ///< whole ones

/// "12.5", "-3": an optional sign, digits, at most three decimals.
std::optional<Milli> parse_milli(std::string_view text);
/// Without trailing zeros: "12.5".
std::string format_milli(Milli value);

/// What is known of an offer's nodes. An unknown number is kUnknown, an unknown word is empty; no
/// clause holds for either.
struct Attributes {
  std::array<Milli, kNumbers> numbers;
  std::array<std::string, kWords> words;
  std::vector<std::string> cached;

  Attributes() { numbers.fill(kUnknown); }
  Milli& number(Field field) { return numbers[number_index(field)]; }
  Milli number(Field field) const { return numbers[number_index(field)]; }
  std::string& word(Field field) { return words[word_index(field)]; }
  const std::string& word(Field field) const { return words[word_index(field)]; }
};

inline constexpr int64_t kMostSliced = 1'000'000'000'000;  ///< whole ones, of a sliced field

/// The part of a node's `value` (of a sliced field, at most kMostSliced) that `units` of its `of`
/// units get, rounded down to whole ones. Both are at most 65,536, so nothing wraps.
constexpr Milli slice(Milli value, uint32_t units, uint32_t of) {
  if (value == kUnknown || units == of || of == 0) return value;
  return value / 1000 * units / of * 1000;
}

}  // namespace mizan::market
