// Why a bid met no ask: every dimension judged over all live asks, column by column.
#include "base/nearest.hpp"
#include "market/book.hpp"

#include <algorithm>
#include <bit>

namespace mizan::market {
namespace {

/// The nearest miss seen so far; what fails nothing else goes before what fails more.
class Nearest {
 public:
  void offer(bool alone, uint64_t distance, std::string text) {
    if (best_ && (alone_ > alone || (alone_ == alone && distance_ < distance))) return;
    if (best_ && alone_ == alone && distance_ == distance && *best_ <= text) return;
    alone_ = alone;
    distance_ = distance;
    best_ = std::move(text);
  }
  /// Whether a value at this distance could still be the nearest: spares making its text.
  bool wants(bool alone, uint64_t distance) const {
    return !best_ || alone > alone_ || (alone == alone_ && distance <= distance_);
  }
  std::string best() const { return best_.value_or(""); }

 private:
  std::optional<std::string> best_;
  bool alone_ = false;
  uint64_t distance_ = 0;
};

/// Both are within a thousand times kMostNumber, so the gap fits.
uint64_t gap(Milli a, Milli b) {
  return a < b ? static_cast<uint64_t>(b - a) : static_cast<uint64_t>(a - b);
}

uint64_t number_distance(const Clause& clause, Milli value) {
  uint64_t least = gap(value, clause.numbers.front());
  for (size_t i = 1; i < clause.numbers.size(); ++i)
    least = std::min(least, gap(value, clause.numbers[i]));
  return least;
}

std::string text(std::string_view before, uint64_t number, std::string_view after) {
  return std::string(before) + std::to_string(number) + std::string(after);
}

struct Dimension {
  Reason reason;
  Nearest nearest;
  std::vector<uint32_t> distances;  // of a word's clause: from each symbol; 0 if not known yet
  Mask failed = 0;                  // in the block at hand
};

enum Own : size_t { kPrice, kUnits, kTime, kOwner, kInterruption, kExcluded, kOwnCount };
constexpr std::array<std::string_view, kOwnCount> kOwnNames = {"price", "units",        "time",
                                                               "owner", "interruption", "excluded"};

}  // namespace

std::vector<Reason> Book::explain(const Demand& demand, uint64_t now) const {
  const auto clauses = compile(demand.query, symbols_);
  std::vector<Dimension> dimensions(clauses.size() + kOwnCount);
  for (size_t c = 0; c < clauses.size(); ++c)
    dimensions[c].reason.dimension = clauses[c].clause->text;
  Dimension* const own = &dimensions[clauses.size()];
  for (size_t d = 0; d < kOwnCount; ++d) own[d].reason.dimension = kOwnNames[d];

  const auto clause_miss = [&](Dimension& dimension, const CompiledClause& compiled,
                               const Block& block, uint32_t i, bool alone) {
    const Clause& clause = *compiled.clause;
    if (is_number(clause.field)) {
      Milli value = block.numbers[number_index(clause.field)][i];
      if (value == kUnknown) return;
      if (is_sliced(clause.field))
        value =
            slice(value, std::min(demand.units, block.units_per_node[i]), block.units_per_node[i]);
      const uint64_t distance = number_distance(clause, value);
      if (dimension.nearest.wants(alone, distance))
        dimension.nearest.offer(alone, distance, format_milli(value));
    } else if (is_word(clause.field) && (clause.op == Op::equal || clause.op == Op::in)) {
      const uint32_t symbol = block.words[word_index(clause.field)][i];
      if (symbol == 0) return;
      const std::string_view word = symbols_.word(symbol);
      if (dimension.distances.size() <= symbol) dimension.distances.resize(symbol + 1, 0);
      uint32_t& distance = dimension.distances[symbol];  // one more than the letters that differ
      if (distance == 0) {
        distance = 1000;
        for (const std::string& wanted : clause.words)
          distance = std::min(distance, static_cast<uint32_t>(edit_distance(word, wanted)) + 1);
      }
      if (dimension.nearest.wants(alone, distance))
        dimension.nearest.offer(alone, distance, std::string(word));
    }
  };
  const auto own_miss = [&](size_t d, const Block& block, uint32_t i, bool alone) {
    Dimension& dimension = own[d];
    const Hot& hot = block.hot[i];
    const uint64_t rate = block.priority[i].rate;
    if (d == kPrice) {
      if (dimension.nearest.wants(alone, rate))
        dimension.nearest.offer(alone, rate, std::to_string(rate));
    } else if (d == kUnits) {
      if (demand.units < hot.min_units) {
        const uint32_t more = hot.min_units - demand.units;
        if (dimension.nearest.wants(alone, more))
          dimension.nearest.offer(alone, more,
                                  text("at least ", hot.min_units, " units of a node"));
      } else if (demand.units > hot.most_free) {
        const uint32_t less = demand.units - hot.most_free;
        if (dimension.nearest.wants(alone, less))
          dimension.nearest.offer(alone, less, text("", hot.most_free, " free units on a node"));
      } else {
        const auto& free = entries_[hot.entry].free;
        const auto enough = static_cast<uint64_t>(
            std::count_if(free.begin(), free.end(), [&](uint32_t f) { return f >= demand.units; }));
        if (dimension.nearest.wants(alone, demand.nodes - enough))
          dimension.nearest.offer(alone, demand.nodes - enough, text("", enough, " such nodes"));
      }
    } else if (d == kTime) {
      const uint64_t seconds = lease_seconds(demand, Rate{rate}, hot.max_seconds);
      const uint64_t left = hot.until > now ? hot.until - now : 0;
      if (now < hot.from) {
        if (dimension.nearest.wants(alone, hot.from - now))
          dimension.nearest.offer(alone, hot.from - now,
                                  text("from ", hot.from - now, " s from now on"));
      } else if (seconds == 0 || seconds < hot.min_seconds) {
        if (dimension.nearest.wants(alone, hot.min_seconds - seconds))
          dimension.nearest.offer(alone, hot.min_seconds - seconds,
                                  text("leases of at least ", hot.min_seconds, " s"));
      } else if (dimension.nearest.wants(alone, seconds - left)) {
        dimension.nearest.offer(alone, seconds - left, text("until ", left, " s from now"));
      }
    }
  };

  const auto see_block = [&](const Block& block, Mask live) {
    if (live == 0) return;
    for (size_t c = 0; c < clauses.size(); ++c)
      dimensions[c].failed = live & ~evaluate(block, clauses[c], live, demand.units);
    for (size_t d = 0; d < kOwnCount; ++d) own[d].failed = 0;
    for (Mask left = live; left != 0; left &= left - 1) {
      const auto i = static_cast<uint32_t>(std::countr_zero(left));
      const Mask bit = Mask{1} << i;
      const Hot& hot = block.hot[i];
      const Rate rate{block.priority[i].rate};
      if (demand.max_rate < rate) own[kPrice].failed |= bit;
      if (!units_fit(hot, demand)) own[kUnits].failed |= bit;
      if (seconds_fit(hot, demand, rate, now) == 0) own[kTime].failed |= bit;
      if (hot.provider == demand.buyer) own[kOwner].failed |= bit;
      if (hot.interruptible && !demand.interruptible) own[kInterruption].failed |= bit;
      for (const Address& excluded : demand.excluded)
        if (hot.provider == excluded) own[kExcluded].failed |= bit;
    }
    Mask once = 0;
    Mask twice = 0;
    for (const Dimension& dimension : dimensions) {
      twice |= once & dimension.failed;
      once |= dimension.failed;
    }
    for (size_t d = 0; d < dimensions.size(); ++d) {
      Dimension& dimension = dimensions[d];
      const Mask alone = dimension.failed & ~twice;
      dimension.reason.removed += static_cast<uint64_t>(std::popcount(dimension.failed));
      dimension.reason.alone += static_cast<uint64_t>(std::popcount(alone));
      // Once an offer fails this alone, the others are further off whatever their distance.
      const Mask candidates = dimension.reason.alone > 0 ? alone : dimension.failed;
      for (Mask left = candidates; left != 0; left &= left - 1) {
        const auto i = static_cast<uint32_t>(std::countr_zero(left));
        const bool only = (alone >> i & 1) != 0;
        if (d < clauses.size())
          clause_miss(dimension, clauses[d], block, i, only);
        else
          own_miss(d - clauses.size(), block, i, only);
      }
    }
  };
  for (const Shelf& shelf : shelves_)
    for (size_t b = 0; b < shelf.blocks.size(); ++b)
      see_block(*shelf.blocks[b], shelf.summaries[b].alive);
  std::vector<Reason> out;
  for (Dimension& dimension : dimensions) {
    if (dimension.reason.removed == 0) continue;
    dimension.reason.nearest = dimension.nearest.best();
    out.push_back(std::move(dimension.reason));
  }
  return out;
}

}  // namespace mizan::market
