// The query language: `field op value ...`, all must hold.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "market/fields.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mizan::market {

enum class Op : uint8_t { equal, not_equal, less, at_most, more, at_least, in, not_in };
std::string_view to_string(Op op);

/// One condition. Numbers have every op; words and `cached` have = != in notin.
struct Clause {
  Field field{};
  Op op{};
  std::vector<Milli> numbers;      ///< of a number's clause; one value unless in, notin
  std::vector<std::string> words;  ///< of any other
  std::string text;                ///< as the language spells it: memory_gb>=512

  friend bool operator==(const Clause&, const Clause&) = default;
};

struct Query {
  std::vector<Clause> clauses;

  /// The one chip that the query asks for, if it names exactly one.
  const std::string* only_chip() const;
};

/// Reads a query. Values are bare or quoted with " or '; lists are `in A,B` or `in [A, B]`; ""
/// holds for every offer. Errors (invalid_argument, unknown_field with details.nearest, too_large)
/// name the position, counted from 1, in details.position too. At most 4096 bytes, 32 clauses and
/// 64 values a clause.
Result<Query> parse_query(std::string_view text);

/// Whether a clause holds for a known number, an interned or plain word, or a list.
bool holds(const Clause& clause, Milli value);
bool holds(const Clause& clause, std::string_view word);
bool holds(const Clause& clause, const std::vector<std::string>& list);

/// What to sort offers by: "rate,-reliability", - is descending.
struct SortKey {
  Field field{};
  bool descending = false;
};
Result<std::vector<SortKey>> parse_order(std::string_view text);

}  // namespace mizan::market
