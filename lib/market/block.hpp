// 64 asks side by side: each field a column, so that a clause is one short loop.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "market/order.hpp"
#include "market/symbols.hpp"

#include <array>
#include <bit>

namespace mizan::market {

/// The place in the book: cheapest first, then earliest.
struct Priority {
  uint64_t rate = 0;
  uint64_t sequence = 0;
  friend auto operator<=>(const Priority&, const Priority&) = default;
};

/// What matching reads of an ask beside its columns.
struct Hot {
  uint32_t entry = 0;                                ///< index of the book's entry
  const std::vector<std::string>* cached = nullptr;  ///< the entry's
  uint32_t nodes = 0;
  uint32_t min_units = 0;
  uint32_t most_free = 0;  ///< free units on the node that has most
  bool interruptible = false;
  Address provider;
  uint64_t from = 0;
  uint64_t until = 0;
  uint64_t min_seconds = 0;
  uint64_t max_seconds = 0;
};

inline constexpr uint32_t kBlockSize = 64;

/// A set of places in a block, one bit each.
using Mask = uint64_t;

/// Calls visit(place) for each place of the mask, in their order.
template <class Visit>
void for_each_place(Mask mask, Visit visit) {
  for (; mask != 0; mask &= mask - 1) visit(static_cast<uint32_t>(std::countr_zero(mask)));
}

struct Block {
  Mask used = 0;
  std::array<Priority, kBlockSize> priority;
  std::array<Hot, kBlockSize> hot;
  std::array<uint32_t, kBlockSize> units_per_node;
  std::array<std::array<Milli, kBlockSize>, kNumbers> numbers;
  std::array<std::array<uint32_t, kBlockSize>, kWords> words;

  void copy(uint32_t place, const Block& from, uint32_t from_place);
};

/// A clause with its words as symbols.
struct CompiledClause {
  const Clause* clause = nullptr;
  std::vector<uint32_t> symbols;  ///< of a word's clause; those that no ask uses are left out
};
std::vector<CompiledClause> compile(const Query& query, const Symbols& symbols);

/// The places among `among` for which the clause holds. `units` is the bid's share of a node for
/// the sliced fields, or 0 for whole nodes.
Mask evaluate(const Block& block, const CompiledClause& clause, Mask among, uint32_t units);

}  // namespace mizan::market
