// The asks that fit a bid or a query, best first.
#include "market/book.hpp"

#include <algorithm>
#include <bit>

namespace mizan::market {
namespace {

/// The rate of whichever order was there first.
Rate fill_rate(const Priority& ask, const Demand& demand) {
  return ask.sequence < demand.sequence ? Rate{ask.rate} : demand.max_rate;
}

uint32_t first_of(const Block& block, Mask mask) {
  auto best = static_cast<uint32_t>(std::countr_zero(mask));
  for_each_place(mask, [&](uint32_t i) {
    if (block.priority[i] < block.priority[best]) best = i;
  });
  return best;
}

}  // namespace

Book::Shelves Book::shelves_for(const std::vector<CompiledClause>& clauses) const {
  Shelves left = occupied_;
  for (const CompiledClause& compiled : clauses) {
    if (compiled.clause->field != Field::chip) continue;
    if (compiled.clause->op != Op::equal && compiled.clause->op != Op::in) continue;
    Shelves wanted = 0;
    for (const uint32_t symbol : compiled.symbols) wanted |= shelf_bit(symbol);
    left &= wanted;
  }
  return left;
}

void Book::scan(const Demand& demand, uint64_t now, const Visitor& visit) const {
  const auto clauses = compile(demand.query, symbols_);
  // Of each shelf its best ask that is left, or a block that was not read yet and in which no ask
  // is before its place in the order. (Without initializers: most of them are never used.)
  struct Head {
    uint64_t rate;
    uint64_t sequence;
    const Shelf* shelf;
    size_t block;
    Mask left;       // of its asks that fit the clauses; of a block that was read
    uint32_t place;  // the ask
    bool read;
  };
  std::array<Head, kShelves> heads;
  std::array<uint8_t, kShelves> heap;  // the earliest head on top
  auto* const begin = heap.data();
  auto* end = begin;
  const auto later = [&heads](uint8_t a, uint8_t b) {
    return Priority{heads[b].rate, heads[b].sequence} < Priority{heads[a].rate, heads[a].sequence};
  };
  const auto push = [&](uint8_t which) {
    *end++ = which;
    std::push_heap(begin, end, later);
  };
  const auto push_block = [&](uint8_t which, const Shelf& shelf, size_t block) {
    while (block < shelf.blocks.size() && shelf.summaries[block].ready == 0) ++block;
    if (block == shelf.blocks.size()) return;
    const Priority& least = shelf.summaries[block].least;
    if (demand.max_rate.nano < least.rate) return;
    heads[which] = {least.rate, least.sequence, &shelf, block, 0, 0, false};
    push(which);
  };
  for_each_place(shelves_for(clauses), [&](uint32_t shelf) {
    push_block(static_cast<uint8_t>(shelf), shelves_[shelf], 0);
  });
  while (end != begin) {
    std::pop_heap(begin, end, later);
    const uint8_t which = *--end;
    Head& head = heads[which];
    const Block& block = *head.shelf->blocks[head.block];
    if (head.read) {
      const Rate rate{head.rate};
      if (demand.max_rate < rate) return;
      const Hot& hot = block.hot[head.place];
      const auto found = fill(hot, demand, fill_rate(block.priority[head.place], demand), now);
      if (found && visit(hot.entry, *found)) return;
      head.left &= ~(Mask{1} << head.place);
    } else {
      head.read = true;
      head.left = head.shelf->summaries[head.block].ready;
      for (const CompiledClause& clause : clauses)
        if ((head.left = evaluate(block, clause, head.left, demand.units)) == 0) break;
    }
    if (head.left == 0) {
      push_block(which, *head.shelf, head.block + 1);
      continue;
    }
    head.place = first_of(block, head.left);
    head.rate = block.priority[head.place].rate;
    head.sequence = block.priority[head.place].sequence;
    push(which);
  }
}

std::optional<Fill> Book::fit(AskRef ref, const Demand& demand, uint64_t now) const {
  const Entry& entry = entries_[ref];
  if (!entry.alive || demand.max_rate < entry.ask.rate) return std::nullopt;
  Mask left = Mask{1} << entry.place;
  for (const CompiledClause& clause : compile(demand.query, symbols_))
    if ((left = evaluate(*entry.block, clause, left, demand.units)) == 0) return std::nullopt;
  return fill(entry.block->hot[entry.place], demand,
              fill_rate(entry.block->priority[entry.place], demand), now);
}

std::vector<AskRef> Book::list(const Query& query, const std::vector<SortKey>& order,
                               size_t limit) const {
  std::vector<std::pair<Priority, AskRef>> found;
  const auto clauses = compile(query, symbols_);
  for_each_place(shelves_for(clauses), [&](uint32_t s) {
    const Shelf& shelf = shelves_[s];
    const size_t before = found.size();
    for (size_t b = 0; b < shelf.blocks.size(); ++b) {
      if (order.empty() && found.size() - before >= limit) break;  // what follows is dearer
      const Block& block = *shelf.blocks[b];
      Mask left = shelf.summaries[b].alive;
      for (const CompiledClause& clause : clauses) left = evaluate(block, clause, left, 0);
      for_each_place(
          left, [&](uint32_t i) { found.emplace_back(block.priority[i], block.hot[i].entry); });
    }
  });
  // -1, 0 or 1: the place of a before b by one key; what is unknown comes last either way.
  const auto compare = [&](const SortKey& key, AskRef a, AskRef b) {
    const Attributes& left = entries_[a].ask.attributes;
    const Attributes& right = entries_[b].ask.attributes;
    const auto by = [&](const auto& x, const auto& y, bool x_known, bool y_known) {
      if (x_known != y_known) return x_known ? -1 : 1;
      if (x == y) return 0;
      return (x < y) != key.descending ? -1 : 1;
    };
    if (is_number(key.field)) {
      const Milli x = left.number(key.field);
      const Milli y = right.number(key.field);
      return by(x, y, x != kUnknown, y != kUnknown);
    }
    const std::string& x = left.word(key.field);
    const std::string& y = right.word(key.field);
    return by(x, y, !x.empty(), !y.empty());
  };
  std::sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
    for (const SortKey& key : order)
      if (const int sign = compare(key, a.second, b.second); sign != 0) return sign < 0;
    return a.first < b.first;
  });
  if (found.size() > limit) found.resize(limit);
  std::vector<AskRef> out;
  out.reserve(found.size());
  for (const auto& [priority, ref] : found) out.push_back(ref);
  return out;
}

}  // namespace mizan::market
