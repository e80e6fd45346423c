#include "market/book.hpp"

#include "base/ensure.hpp"

#include <algorithm>
#include <bit>

namespace mizan::market {
namespace {

constexpr Mask kFull = ~Mask{0};
constexpr int kMergeBelow = static_cast<int>(kBlockSize) / 2;

Priority priority_of(const Ask& ask) {
  return {static_cast<uint64_t>(ask.rate.nano), ask.sequence};
}

uint32_t most(const std::vector<uint32_t>& free) {
  return *std::max_element(free.begin(), free.end());
}

/// The rate of whichever order was there first.
Rate fill_rate(const Priority& ask, const Demand& demand) {
  return ask.sequence < demand.sequence ? Rate{ask.rate} : demand.max_rate;
}

template <class Visit>
void for_each_place(Mask mask, Visit visit) {
  for (; mask != 0; mask &= mask - 1) visit(static_cast<uint32_t>(std::countr_zero(mask)));
}

uint32_t first_of(const Block& block, Mask mask) {
  auto best = static_cast<uint32_t>(std::countr_zero(mask));
  for_each_place(mask, [&](uint32_t i) {
    if (block.priority[i] < block.priority[best]) best = i;
  });
  return best;
}

}  // namespace

uint64_t lease_seconds(const Demand& demand, Rate rate, uint64_t most_seconds) {
  uint64_t seconds = std::min(demand.max_seconds, most_seconds);
  const u128 a_second = rate.nano * demand.nodes * demand.units;  // below 2^50 x 2^64
  if (a_second == 0) return seconds;
  u128 whole = 0;  // a product is cheaper than a division, and nearly always enough
  if (!__builtin_mul_overflow(a_second, static_cast<u128>(seconds), &whole) &&
      whole <= demand.max_total.nano)
    return seconds;
  const u128 affordable = demand.max_total.nano / a_second;
  return affordable < seconds ? static_cast<uint64_t>(affordable) : seconds;
}

AskRef Book::add(const Ask& ask, bool alive) {
  ensure(ask.nodes > 0 && ask.units_per_node > 0 && ask.rate.nano <= kMostRate,
         "an ask in the book has units and a rate within bounds");
  if (free_entries_.empty()) {
    free_entries_.push_back(static_cast<AskRef>(entries_.size()));
    entries_.emplace_back();
  }
  const AskRef ref = free_entries_.back();
  free_entries_.pop_back();
  Entry& entry = entries_[ref];
  entry.ask = ask;
  entry.free.assign(ask.nodes, ask.units_per_node);
  entry.alive = alive;
  place(entry, ref);
  ++size_;
  return ref;
}

size_t Book::block_index(const Priority& priority) const {
  const auto after =
      std::upper_bound(summaries_.begin(), summaries_.end(), priority,
                       [](const Priority& p, const Summary& s) { return p < s.least; });
  const auto index = after - summaries_.begin();
  return index == 0 ? 0 : static_cast<size_t>(index - 1);
}

void Book::place(Entry& entry, AskRef ref) {
  const Ask& ask = entry.ask;
  const Priority priority = priority_of(ask);
  if (blocks_.empty()) {
    blocks_.push_back(std::make_unique<Block>());
    summaries_.push_back({priority, 0, 0, 0});
  }
  size_t index = block_index(priority);
  if (blocks_[index]->used == kFull) {
    split(index);
    index = block_index(priority);
  }
  Block& block = *blocks_[index];
  Summary& summary = summaries_[index];
  if (priority < summary.least) summary.least = priority;
  const auto i = static_cast<uint32_t>(std::countr_one(block.used));
  const Mask bit = Mask{1} << i;
  block.used |= bit;
  block.priority[i] = priority;
  block.hot[i] = {ref,
                  &entry.ask.attributes.cached,
                  ask.nodes,
                  ask.min_units,
                  most(entry.free),
                  ask.interruptible,
                  ask.provider,
                  ask.from,
                  ask.until,
                  ask.min_seconds,
                  ask.max_seconds};
  block.units_per_node[i] = ask.units_per_node;
  for (size_t f = 0; f < kNumbers; ++f) block.numbers[f][i] = ask.attributes.numbers[f];
  for (size_t f = 0; f < kWords; ++f) block.words[f][i] = symbols_.hold(ask.attributes.words[f]);
  summary.chips |= chip_bit(block.words[word_index(Field::chip)][i]);
  if (entry.alive) {
    summary.alive |= bit;
    summary.ready |= bit;
  }
  entry.block = &block;
  entry.place = i;
}

void Book::move_entry(Block& to, const Block& from, uint32_t from_place, Summary& to_summary,
                      const Summary& from_summary) {
  const auto i = static_cast<uint32_t>(std::countr_one(to.used));
  to.copy(i, from, from_place);
  const Mask from_bit = Mask{1} << from_place;
  if ((from_summary.alive & from_bit) != 0) to_summary.alive |= Mask{1} << i;
  if ((from_summary.ready & from_bit) != 0) to_summary.ready |= Mask{1} << i;
  to_summary.chips |= chip_bit(to.words[word_index(Field::chip)][i]);
  Entry& entry = entries_[to.hot[i].entry];
  entry.block = &to;
  entry.place = i;
}

void Book::split(size_t index) {
  Block& lower = *blocks_[index];
  std::array<uint32_t, kBlockSize> order{};
  for (uint32_t i = 0; i < kBlockSize; ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return lower.priority[a] < lower.priority[b]; });
  auto upper = std::make_unique<Block>();
  Summary& mine = summaries_[index];
  Summary above{lower.priority[order[kBlockSize / 2]], 0, 0, 0};
  Mask moved = 0;
  for (uint32_t k = kBlockSize / 2; k < kBlockSize; ++k) {
    move_entry(*upper, lower, order[k], above, mine);
    moved |= Mask{1} << order[k];
  }
  lower.used &= ~moved;
  mine.alive &= ~moved;
  mine.ready &= ~moved;
  mine.chips = 0;
  for_each_place(lower.used, [&](uint32_t i) {
    mine.chips |= chip_bit(lower.words[word_index(Field::chip)][i]);
  });
  const auto at = static_cast<std::ptrdiff_t>(index) + 1;
  blocks_.insert(blocks_.begin() + at, std::move(upper));
  summaries_.insert(summaries_.begin() + at, above);
}

void Book::merge_if_small(size_t index) {
  const auto at = static_cast<std::ptrdiff_t>(index);
  if (blocks_[index]->used == 0) {
    blocks_.erase(blocks_.begin() + at);
    summaries_.erase(summaries_.begin() + at);
    return;
  }
  if (index + 1 == blocks_.size()) return;
  Block& here = *blocks_[index];
  const Block& next = *blocks_[index + 1];
  if (std::popcount(here.used) + std::popcount(next.used) > kMergeBelow) return;
  for_each_place(next.used, [&](uint32_t i) {
    move_entry(here, next, i, summaries_[index], summaries_[index + 1]);
  });
  blocks_.erase(blocks_.begin() + at + 1);
  summaries_.erase(summaries_.begin() + at + 1);
}

void Book::remove(AskRef ref) {
  Entry& entry = entries_[ref];
  ensure(entry.block != nullptr, "only an ask of the book is removed");
  const size_t index = block_index(priority_of(entry.ask));
  Block& block = *blocks_[index];
  ensure(&block == entry.block, "an ask stands in the block of its priority");
  const Mask keep = ~(Mask{1} << entry.place);
  for (auto& column : block.words) symbols_.release(column[entry.place]);
  block.used &= keep;
  summaries_[index].alive &= keep;
  summaries_[index].ready &= keep;
  entry = Entry{};
  free_entries_.push_back(ref);
  --size_;
  merge_if_small(index);
}

void Book::refresh(const Entry& entry) {
  Summary& summary = summaries_[block_index(priority_of(entry.ask))];
  Hot& hot = entry.block->hot[entry.place];
  hot.most_free = most(entry.free);
  const Mask bit = Mask{1} << entry.place;
  summary.alive = entry.alive ? summary.alive | bit : summary.alive & ~bit;
  summary.ready = entry.alive && hot.most_free > 0 ? summary.ready | bit : summary.ready & ~bit;
}

void Book::set_alive(AskRef ref, bool alive) {
  entries_[ref].alive = alive;
  refresh(entries_[ref]);
}

void Book::set_reliability(AskRef ref, Milli thousandths) {
  Entry& entry = entries_[ref];
  entry.ask.attributes.number(Field::reliability) = thousandths;
  entry.block->numbers[number_index(Field::reliability)][entry.place] = thousandths;
}

void Book::take(AskRef ref, const std::vector<uint32_t>& nodes, uint32_t units) {
  Entry& entry = entries_[ref];
  for (const uint32_t node : nodes) {
    ensure(node < entry.free.size() && entry.free[node] >= units, "no unit is sold twice");
    entry.free[node] -= units;
  }
  refresh(entry);
}

void Book::give_back(AskRef ref, const std::vector<uint32_t>& nodes, uint32_t units) {
  Entry& entry = entries_[ref];
  for (const uint32_t node : nodes) {
    entry.free[node] += units;
    ensure(entry.free[node] <= entry.ask.units_per_node, "no unit comes back twice");
  }
  refresh(entry);
}

uint64_t Book::free_units(AskRef ref) const {
  uint64_t sum = 0;
  for (const uint32_t units : entries_[ref].free) sum += units;
  return sum;
}

bool Book::units_fit(const Hot& hot, const Demand& demand) const {
  if (demand.units < hot.min_units || demand.units > hot.most_free || demand.nodes > hot.nodes)
    return false;
  if (demand.nodes == 1) return true;
  const auto& free = entries_[hot.entry].free;
  const auto enough =
      std::count_if(free.begin(), free.end(), [&](uint32_t f) { return f >= demand.units; });
  return static_cast<uint64_t>(enough) >= demand.nodes;
}

/// The lease's seconds, or 0 if none that fits.
uint64_t Book::seconds_fit(const Hot& hot, const Demand& demand, Rate rate, uint64_t now) const {
  if (now < hot.from || now >= hot.until) return 0;
  const uint64_t seconds = lease_seconds(demand, rate, hot.max_seconds);
  return seconds < hot.min_seconds || seconds > hot.until - now ? 0 : seconds;
}

std::optional<Fill> Book::fill(const Hot& hot, const Demand& demand, Rate rate,
                               uint64_t now) const {
  if (hot.provider == demand.buyer || (hot.interruptible && !demand.interruptible) ||
      !units_fit(hot, demand))
    return std::nullopt;
  const uint64_t seconds = seconds_fit(hot, demand, rate, now);
  if (seconds == 0) return std::nullopt;
  const Entry& entry = entries_[hot.entry];
  if (std::find(demand.excluded.begin(), demand.excluded.end(), entry.ask.id) !=
      demand.excluded.end())
    return std::nullopt;
  Fill out{entry.ask.id, rate, seconds, {}};
  for (uint32_t node = 0; node < entry.free.size(); ++node)
    if (entry.free[node] >= demand.units) out.nodes.push_back(node);
  // The fullest nodes that still fit, so that whole nodes stay whole for those who need one.
  if (out.nodes.size() > demand.nodes) {
    std::stable_sort(out.nodes.begin(), out.nodes.end(),
                     [&](uint32_t a, uint32_t b) { return entry.free[a] < entry.free[b]; });
    out.nodes.resize(demand.nodes);
    std::sort(out.nodes.begin(), out.nodes.end());
  }
  return out;
}

uint64_t Book::chip_bits(const std::vector<CompiledClause>& clauses) {
  uint64_t bits = ~uint64_t{0};
  for (const CompiledClause& compiled : clauses) {
    if (compiled.clause->field != Field::chip) continue;
    if (compiled.clause->op != Op::equal && compiled.clause->op != Op::in) continue;
    uint64_t wanted = 0;
    for (const uint32_t symbol : compiled.symbols) wanted |= chip_bit(symbol);
    bits &= wanted;
  }
  return bits;
}

void Book::scan(const Demand& demand, uint64_t now, const Visitor& visit) const {
  const auto clauses = compile(demand.query, symbols_);
  const uint64_t chips = chip_bits(clauses);
  for (size_t b = 0; b < blocks_.size(); ++b) {
    const Summary& summary = summaries_[b];
    if (demand.max_rate.nano < summary.least.rate) return;
    if (summary.ready == 0 || (summary.chips & chips) == 0) continue;
    const Block& block = *blocks_[b];
    Mask left = summary.ready;
    for (const CompiledClause& clause : clauses) {
      left = evaluate(block, clause, left, demand.units);
      if (left == 0) break;
    }
    while (left != 0) {
      const uint32_t i = first_of(block, left);
      left &= ~(Mask{1} << i);
      const Rate rate{block.priority[i].rate};
      if (demand.max_rate < rate) return;
      const Hot& hot = block.hot[i];
      const auto found = fill(hot, demand, fill_rate(block.priority[i], demand), now);
      if (found && visit(hot.entry, *found)) return;
    }
  }
}

std::optional<Fill> Book::fit(AskRef ref, const Demand& demand, uint64_t now) const {
  const Entry& entry = entries_[ref];
  if (!entry.alive || demand.max_rate < entry.ask.rate) return std::nullopt;
  Mask left = Mask{1} << entry.place;
  for (const CompiledClause& clause : compile(demand.query, symbols_))
    if ((left = evaluate(*entry.block, clause, left, demand.units)) == 0) return std::nullopt;
  return fill(entry.block->hot[entry.place], demand, fill_rate(priority_of(entry.ask), demand),
              now);
}

std::vector<AskRef> Book::list(const Query& query, const std::vector<SortKey>& order,
                               size_t limit) const {
  std::vector<std::pair<Priority, AskRef>> found;
  const auto clauses = compile(query, symbols_);
  const uint64_t chips = chip_bits(clauses);
  for (size_t b = 0; b < blocks_.size(); ++b) {
    if ((summaries_[b].chips & chips) == 0) continue;
    if (order.empty() && found.size() >= limit) break;  // what follows is dearer
    Mask left = summaries_[b].alive;
    for (const CompiledClause& clause : clauses) left = evaluate(*blocks_[b], clause, left, 0);
    for_each_place(left, [&](uint32_t i) {
      found.emplace_back(blocks_[b]->priority[i], blocks_[b]->hot[i].entry);
    });
  }
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
