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

size_t Book::shelf_of(const Entry& entry) {
  return entry.block->words[word_index(Field::chip)][entry.place] % kShelves;
}

size_t Book::Shelf::block_index(const Priority& priority) const {
  const auto after =
      std::upper_bound(summaries.begin(), summaries.end(), priority,
                       [](const Priority& p, const Summary& s) { return p < s.least; });
  const auto index = after - summaries.begin();
  return index == 0 ? 0 : static_cast<size_t>(index - 1);
}

void Book::place(Entry& entry, AskRef ref) {
  const Ask& ask = entry.ask;
  const Priority priority = priority_of(ask);
  std::array<uint32_t, kWords> words{};
  for (size_t f = 0; f < kWords; ++f) words[f] = symbols_.hold(ask.attributes.words[f]);
  const uint32_t chip = words[word_index(Field::chip)];
  Shelf& shelf = shelves_[chip % kShelves];
  occupied_ |= shelf_bit(chip);
  if (shelf.blocks.empty()) {
    shelf.blocks.push_back(std::make_unique<Block>());
    shelf.summaries.push_back({priority, 0, 0});
  }
  size_t index = shelf.block_index(priority);
  if (shelf.blocks[index]->used == kFull) {
    split(shelf, index);
    index = shelf.block_index(priority);
  }
  Block& block = *shelf.blocks[index];
  Summary& summary = shelf.summaries[index];
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
  for (size_t f = 0; f < kWords; ++f) block.words[f][i] = words[f];
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
  Entry& entry = entries_[to.hot[i].entry];
  entry.block = &to;
  entry.place = i;
}

void Book::split(Shelf& shelf, size_t index) {
  Block& lower = *shelf.blocks[index];
  std::array<uint32_t, kBlockSize> order{};
  for (uint32_t i = 0; i < kBlockSize; ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return lower.priority[a] < lower.priority[b]; });
  auto upper = std::make_unique<Block>();
  Summary& mine = shelf.summaries[index];
  Summary above{lower.priority[order[kBlockSize / 2]], 0, 0};
  Mask moved = 0;
  for (uint32_t k = kBlockSize / 2; k < kBlockSize; ++k) {
    move_entry(*upper, lower, order[k], above, mine);
    moved |= Mask{1} << order[k];
  }
  lower.used &= ~moved;
  mine.alive &= ~moved;
  mine.ready &= ~moved;
  const auto at = static_cast<std::ptrdiff_t>(index) + 1;
  shelf.blocks.insert(shelf.blocks.begin() + at, std::move(upper));
  shelf.summaries.insert(shelf.summaries.begin() + at, above);
}

void Book::merge_if_small(Shelf& shelf, size_t index) {
  const auto drop = [&shelf](size_t which) {
    const auto at = static_cast<std::ptrdiff_t>(which);
    shelf.blocks.erase(shelf.blocks.begin() + at);
    shelf.summaries.erase(shelf.summaries.begin() + at);
  };
  if (shelf.blocks[index]->used == 0) {
    drop(index);
    if (shelf.blocks.empty()) occupied_ &= ~(Shelves{1} << (&shelf - shelves_.data()));
    return;
  }
  if (index + 1 == shelf.blocks.size()) return;
  Block& here = *shelf.blocks[index];
  const Block& next = *shelf.blocks[index + 1];
  if (std::popcount(here.used) + std::popcount(next.used) > kMergeBelow) return;
  for_each_place(next.used, [&](uint32_t i) {
    move_entry(here, next, i, shelf.summaries[index], shelf.summaries[index + 1]);
  });
  drop(index + 1);
}

void Book::remove(AskRef ref) {
  Entry& entry = entries_[ref];
  ensure(entry.block != nullptr, "only an ask of the book is removed");
  Shelf& shelf = shelves_[shelf_of(entry)];
  const size_t index = shelf.block_index(priority_of(entry.ask));
  Block& block = *shelf.blocks[index];
  ensure(&block == entry.block, "an ask stands in the block of its priority");
  const Mask keep = ~(Mask{1} << entry.place);
  for (auto& column : block.words) symbols_.release(column[entry.place]);
  block.used &= keep;
  shelf.summaries[index].alive &= keep;
  shelf.summaries[index].ready &= keep;
  entry = Entry{};
  free_entries_.push_back(ref);
  --size_;
  merge_if_small(shelf, index);
}

void Book::refresh(const Entry& entry) {
  Shelf& shelf = shelves_[shelf_of(entry)];
  Summary& summary = shelf.summaries[shelf.block_index(priority_of(entry.ask))];
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
  if (std::find(demand.excluded.begin(), demand.excluded.end(), hot.provider) !=
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

}  // namespace mizan::market
