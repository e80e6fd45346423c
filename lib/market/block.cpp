#include "market/block.hpp"

#include <algorithm>
#include <bit>

namespace mizan::market {
namespace {

using Column = std::array<Milli, kBlockSize>;

/// Few candidates are visited one by one, many in a straight loop over the column.
constexpr int kFew = 12;

template <class Holds>
Mask select(Mask among, Holds holds) {
  Mask out = 0;
  if (std::popcount(among) > kFew) {
    for (uint32_t i = 0; i < kBlockSize; ++i) out |= Mask{holds(i)} << i;
    return out & among;
  }
  for (Mask left = among; left != 0; left &= left - 1) {
    const auto i = static_cast<uint32_t>(std::countr_zero(left));
    out |= Mask{holds(i)} << i;
  }
  return out;
}

Mask number_clause(const Column& column, const Clause& clause, Mask among) {
  const Milli bound = clause.numbers.front();
  switch (clause.op) {
    case Op::less:
      return select(among, [&](uint32_t i) { return column[i] != kUnknown && column[i] < bound; });
    case Op::at_most:
      return select(among, [&](uint32_t i) { return column[i] != kUnknown && column[i] <= bound; });
    case Op::more:  // kUnknown is the least number of all, so it is above nothing
      return select(among, [&](uint32_t i) { return column[i] > bound; });
    case Op::at_least:
      return select(among, [&](uint32_t i) { return column[i] >= bound; });
    default:
      return select(among, [&](uint32_t i) { return holds(clause, column[i]); });
  }
}

/// Places where units / of of the node's whole ones is at least `bound`. A product on either side
/// says the same as floor(whole x units / of) >= bound and divides nothing.
Mask slice_at_least(const Block& block, const Column& column, int64_t bound, Mask among,
                    uint32_t units) {
  bound = std::clamp<int64_t>(bound, 0, kMostSliced + 1);
  return select(among, [&](uint32_t i) {
    const int64_t of = block.units_per_node[i];
    const int64_t mine = std::min<int64_t>(units, of);
    return column[i] >= 0 && column[i] / 1000 * mine >= bound * of;
  });
}

Mask sliced_clause(const Block& block, const Clause& clause, Mask among, uint32_t units) {
  const Column& column = block.numbers[number_index(clause.field)];
  const Milli bound = clause.numbers.front();
  const int64_t above = bound < 0 ? 0 : bound / 1000 + 1;     // whole ones, more than bound
  const int64_t from = bound < 0 ? 0 : (bound + 999) / 1000;  // at least bound
  const auto known = [&] { return select(among, [&](uint32_t i) { return column[i] >= 0; }); };
  switch (clause.op) {
    case Op::more:
      return slice_at_least(block, column, above, among, units);
    case Op::at_least:
      return slice_at_least(block, column, from, among, units);
    case Op::less:
      return known() & ~slice_at_least(block, column, from, among, units);
    case Op::at_most:
      return bound < 0 ? 0 : known() & ~slice_at_least(block, column, above, among, units);
    default:
      return select(among, [&](uint32_t i) {
        const uint32_t of = block.units_per_node[i];
        return holds(clause, slice(column[i], std::min(units, of), of));
      });
  }
}

Mask word_clause(const std::array<uint32_t, kBlockSize>& column, const CompiledClause& compiled,
                 Mask among) {
  const Op op = compiled.clause->op;
  const bool wanted = op == Op::equal || op == Op::in;
  Mask found = 0;
  for (const uint32_t symbol : compiled.symbols)
    found |= select(among, [&](uint32_t i) { return column[i] == symbol; });
  if (wanted) return found;
  return among & ~found & select(among, [&](uint32_t i) { return column[i] != 0; });
}

}  // namespace

void Block::copy(uint32_t place, const Block& from, uint32_t from_place) {
  used |= Mask{1} << place;
  priority[place] = from.priority[from_place];
  hot[place] = from.hot[from_place];
  units_per_node[place] = from.units_per_node[from_place];
  for (size_t f = 0; f < kNumbers; ++f) numbers[f][place] = from.numbers[f][from_place];
  for (size_t f = 0; f < kWords; ++f) words[f][place] = from.words[f][from_place];
}

std::vector<CompiledClause> compile(const Query& query, const Symbols& symbols) {
  std::vector<CompiledClause> out;
  out.reserve(query.clauses.size());
  for (const Clause& clause : query.clauses) {
    CompiledClause compiled{&clause, {}};
    if (is_word(clause.field))
      for (const std::string& word : clause.words)
        if (const uint32_t symbol = symbols.find(word); symbol != 0)
          compiled.symbols.push_back(symbol);
    out.push_back(std::move(compiled));
  }
  return out;
}

Mask evaluate(const Block& block, const CompiledClause& compiled, Mask among, uint32_t units) {
  const Clause& clause = *compiled.clause;
  if (is_sliced(clause.field) && units != 0) return sliced_clause(block, clause, among, units);
  if (is_number(clause.field))
    return number_clause(block.numbers[number_index(clause.field)], clause, among);
  if (is_word(clause.field))
    return word_clause(block.words[word_index(clause.field)], compiled, among);
  Mask out = 0;
  for (Mask left = among; left != 0; left &= left - 1) {
    const auto i = static_cast<uint32_t>(std::countr_zero(left));
    if (holds(clause, *block.hot[i].cached)) out |= Mask{1} << i;
  }
  return out;
}

}  // namespace mizan::market
