// The book of asks: best rate first, then earliest; a constrained bid reads columns, not asks.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "market/block.hpp"
#include "market/reason.hpp"

#include <deque>
#include <functional>
#include <memory>

namespace mizan::market {

/// An ask's place in the book, good until it is removed. Numbers are reused and mean nothing
/// outside: nothing that leaves the exchange may depend on them.
using AskRef = uint32_t;

/// Not thread-safe; movable, not copyable.
class Book {
 public:
  /// Sees a fill; true ends the search.
  using Visitor = std::function<bool(AskRef, const Fill&)>;

  /// All units are free. `alive` is false while its provider's heartbeats are missing. No two asks
  /// have one sequence.
  AskRef add(const Ask& ask, bool alive);
  void remove(AskRef ref);
  void set_alive(AskRef ref, bool alive);
  /// The provider's share of leases ended well, 0 to 1000, or kUnknown.
  void set_reliability(AskRef ref, Milli thousandths);
  void take(AskRef ref, const std::vector<uint32_t>& nodes, uint32_t units);
  void give_back(AskRef ref, const std::vector<uint32_t>& nodes, uint32_t units);

  const Ask& ask(AskRef ref) const { return entries_[ref].ask; }
  bool alive(AskRef ref) const { return entries_[ref].alive; }
  uint64_t free_units(AskRef ref) const;
  uint32_t free_on_node(AskRef ref, uint32_t node) const { return entries_[ref].free[node]; }
  size_t size() const { return size_; }

  /// Shows the asks that fit a newcomer, best first, each at its own rate, until `visit` is
  /// content.
  void scan(const Demand& demand, uint64_t now, const Visitor& visit) const;
  /// Whether this one ask fits.
  std::optional<Fill> fit(AskRef ref, const Demand& demand, uint64_t now) const;
  /// Why `scan` showed nothing: what removed how many of the live asks.
  std::vector<Reason> explain(const Demand& demand, uint64_t now) const;
  /// Live asks for which the query holds, by `order` and then by priority.
  std::vector<AskRef> list(const Query& query, const std::vector<SortKey>& order,
                           size_t limit) const;

 private:
  struct Entry {
    Ask ask;
    std::vector<uint32_t> free;  ///< units, of each node
    Block* block = nullptr;
    uint32_t place = 0;
    bool alive = false;
  };
  /// What a search reads of every block, side by side.
  struct Summary {
    Priority least;  ///< no ask of the block is before it
    Mask ready = 0;  ///< alive, and some unit is free
    Mask alive = 0;
  };
  /// Asks of one chip stand on one shelf (of its symbol % kShelves), so that a bid for it reads
  /// that shelf alone; a bid for any chip merges them.
  struct Shelf {
    std::vector<std::unique_ptr<Block>> blocks;  // by priority, beside summaries
    std::vector<Summary> summaries;

    size_t block_index(const Priority& priority) const;
  };
  static constexpr size_t kShelves = 64;
  using Shelves = uint64_t;  ///< a set of them, one bit each

  /// The shelves that hold asks, of those that the clauses leave.
  Shelves shelves_for(const std::vector<CompiledClause>& clauses) const;
  static Shelves shelf_bit(uint32_t symbol) { return Shelves{1} << (symbol % kShelves); }
  static size_t shelf_of(const Entry& entry);
  void place(Entry& entry, AskRef ref);
  void split(Shelf& shelf, size_t index);
  void merge_if_small(Shelf& shelf, size_t index);
  void move_entry(Block& to, const Block& from, uint32_t from_place, Summary& to_summary,
                  const Summary& from_summary);
  void refresh(const Entry& entry);
  bool units_fit(const Hot& hot, const Demand& demand) const;
  uint64_t seconds_fit(const Hot& hot, const Demand& demand, Rate rate, uint64_t now) const;
  std::optional<Fill> fill(const Hot& hot, const Demand& demand, Rate rate, uint64_t now) const;

  std::deque<Entry> entries_;  // a deque: columns point into entries
  std::vector<AskRef> free_entries_;
  std::array<Shelf, kShelves> shelves_;
  Shelves occupied_ = 0;
  Symbols symbols_;
  size_t size_ = 0;
};

}  // namespace mizan::market
