// A book as its rules say it, without columns, masks or order: every question looks at every ask.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/ensure.hpp"
#include "market/order.hpp"
#include "market/reason.hpp"

#include <algorithm>
#include <map>

namespace mizan::fuzz {

inline bool same(const market::Fill& a, const market::Fill& b) {
  return a.ask == b.ask && a.rate == b.rate && a.seconds == b.seconds && a.nodes == b.nodes;
}
/// Counts alone: how the nearest miss is spelled is not for a naive book.
inline bool same_counts(const std::vector<market::Reason>& a,
                        const std::vector<market::Reason>& b) {
  return std::ranges::equal(a, b, [](const market::Reason& x, const market::Reason& y) {
    return x.dimension == y.dimension && x.removed == y.removed && x.alone == y.alone;
  });
}

class NaiveBook {
 public:
  struct Entry {
    market::Ask ask;
    bool alive = false;
    std::vector<uint32_t> free;
    std::vector<std::pair<uint32_t, uint32_t>> taken;  ///< node, units
  };

  void add(const market::Ask& ask, bool alive) {
    entries_[ask.sequence] = {ask, alive, std::vector<uint32_t>(ask.nodes, ask.units_per_node), {}};
  }
  void remove(uint64_t sequence) { entries_.erase(sequence); }
  Entry& at(uint64_t sequence) { return entries_.at(sequence); }
  void take(uint64_t sequence, const std::vector<uint32_t>& nodes, uint32_t units) {
    Entry& entry = at(sequence);
    for (const uint32_t node : nodes) {
      ensure(entry.free.at(node) >= units, "only free units are taken");
      entry.free[node] -= units;
      entry.taken.emplace_back(node, units);
    }
  }
  std::optional<std::pair<uint32_t, uint32_t>> give_back_one(uint64_t sequence, uint64_t which) {
    Entry& entry = at(sequence);
    if (entry.taken.empty()) return std::nullopt;
    const auto place =
        entry.taken.begin() + static_cast<std::ptrdiff_t>(which % entry.taken.size());
    const auto out = *place;
    entry.taken.erase(place);
    entry.free[out.first] += out.second;
    return out;
  }

  std::vector<market::Fill> scan(const market::Demand& demand, uint64_t now) const {
    std::vector<const Entry*> found;
    for (const auto& [sequence, entry] : entries_)
      if (fits(entry, demand, now)) found.push_back(&entry);
    std::stable_sort(found.begin(), found.end(), [](const Entry* a, const Entry* b) {
      return a->ask.rate < b->ask.rate;  // they stand by sequence already
    });
    std::vector<market::Fill> out;
    for (const Entry* entry : found) {
      const Rate rate = rate_of(*entry, demand);
      out.push_back(
          {entry->ask.id, rate, seconds(*entry, demand, rate, now), nodes(*entry, demand)});
    }
    return out;
  }
  bool fit(uint64_t sequence, const market::Demand& demand, uint64_t now) const {
    return fits(entries_.at(sequence), demand, now);
  }

  std::vector<market::Reason> explain(const market::Demand& demand, uint64_t now) const {
    std::vector<market::Reason> out;
    for (const market::Clause& clause : demand.query.clauses)
      out.push_back({clause.text, 0, 0, ""});
    for (const char* own : {"price", "units", "time", "owner", "interruption", "excluded"})
      out.push_back({own, 0, 0, ""});
    for (const auto& [sequence, entry] : entries_) {
      if (!entry.alive) continue;
      std::vector<bool> fails;
      for (const market::Clause& clause : demand.query.clauses)
        fails.push_back(!holds(entry, clause, demand.units));
      fails.push_back(demand.max_rate < entry.ask.rate);
      fails.push_back(nodes(entry, demand).size() < demand.nodes);
      fails.push_back(seconds(entry, demand, entry.ask.rate, now) == 0);
      fails.push_back(entry.ask.provider == demand.buyer);
      fails.push_back(entry.ask.interruptible && !demand.interruptible);
      fails.push_back(std::ranges::count(demand.excluded, entry.ask.provider) > 0);
      const auto count = std::count(fails.begin(), fails.end(), true);
      for (size_t i = 0; i < fails.size(); ++i) {
        if (!fails[i]) continue;
        ++out[i].removed;
        if (count == 1) ++out[i].alone;
      }
    }
    std::erase_if(out, [](const market::Reason& reason) { return reason.removed == 0; });
    return out;
  }

  std::vector<OrderId> list(const market::Query& query, const std::vector<market::SortKey>& keys,
                            size_t limit) const {
    std::vector<const Entry*> found;
    for (const auto& [sequence, entry] : entries_) {
      const bool all = std::ranges::all_of(
          query.clauses, [&, &e = entry](const auto& clause) { return holds(e, clause, 0); });
      if (entry.alive && all) found.push_back(&entry);
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const Entry* a, const Entry* b) { return a->ask.rate < b->ask.rate; });
    // The least key first, each sort leaving the order of those before where it sees no difference.
    for (auto key = keys.rbegin(); key != keys.rend(); ++key)
      std::stable_sort(found.begin(), found.end(), [&](const Entry* a, const Entry* b) {
        return before(*key, a->ask.attributes, b->ask.attributes);
      });
    std::vector<OrderId> out;
    for (const Entry* entry : found)
      if (out.size() < limit) out.push_back(entry->ask.id);
    return out;
  }

 private:
  static bool before(const market::SortKey& key, const market::Attributes& a,
                     const market::Attributes& b) {
    const auto by = [&](const auto& x, const auto& y, bool x_known, bool y_known) {
      if (!x_known || !y_known) return x_known && !y_known;  // the unknown come last
      return key.descending ? y < x : x < y;
    };
    if (market::is_number(key.field)) {
      const market::Milli x = a.number(key.field), y = b.number(key.field);
      return by(x, y, x != market::kUnknown, y != market::kUnknown);
    }
    const std::string &x = a.word(key.field), &y = b.word(key.field);
    return by(x, y, !x.empty(), !y.empty());
  }

  /// `units` is the bid's part of a node, 0 for all of it.
  static bool holds(const Entry& entry, const market::Clause& clause, uint32_t units) {
    const market::Attributes& about = entry.ask.attributes;
    if (clause.field == market::Field::cached) return market::holds(clause, about.cached);
    if (market::is_word(clause.field))
      return market::holds(clause, std::string_view(about.word(clause.field)));
    market::Milli value = about.number(clause.field);
    const uint32_t of = entry.ask.units_per_node;
    if (market::is_sliced(clause.field) && units != 0 && units < of && value != market::kUnknown)
      value = static_cast<market::Milli>(static_cast<u128>(value / 1000) * units / of) * 1000;
    return market::holds(clause, value);
  }
  static Rate rate_of(const Entry& entry, const market::Demand& demand) {
    return entry.ask.sequence < demand.sequence ? entry.ask.rate : demand.max_rate;
  }
  static std::vector<uint32_t> nodes(const Entry& entry, const market::Demand& demand) {
    std::vector<std::pair<uint32_t, uint32_t>> fitting;  // free units, node
    if (demand.units >= entry.ask.min_units)
      for (uint32_t node = 0; node < entry.free.size(); ++node)
        if (entry.free[node] >= demand.units) fitting.emplace_back(entry.free[node], node);
    std::sort(fitting.begin(), fitting.end());
    if (fitting.size() > demand.nodes) fitting.resize(demand.nodes);
    std::vector<uint32_t> out;
    for (const auto& [free, node] : fitting) out.push_back(node);
    std::sort(out.begin(), out.end());
    return out;
  }
  /// 0 where no lease fits.
  static uint64_t seconds(const Entry& entry, const market::Demand& demand, Rate rate,
                          uint64_t now) {
    const market::Ask& ask = entry.ask;
    if (now < ask.from || now >= ask.until) return 0;
    u128 most = std::min(demand.max_seconds, ask.max_seconds);
    const u128 a_second = rate.nano * demand.nodes * demand.units;
    if (a_second != 0) most = std::min(most, demand.max_total.nano / a_second);
    return most < ask.min_seconds || most > ask.until - now ? 0 : static_cast<uint64_t>(most);
  }
  static bool fits(const Entry& entry, const market::Demand& demand, uint64_t now) {
    const market::Ask& ask = entry.ask;
    return entry.alive && !(demand.max_rate < ask.rate) && ask.provider != demand.buyer &&
           (!ask.interruptible || demand.interruptible) &&
           nodes(entry, demand).size() == demand.nodes &&
           seconds(entry, demand, rate_of(entry, demand), now) > 0 &&
           std::ranges::count(demand.excluded, ask.provider) == 0 &&
           std::ranges::all_of(demand.query.clauses, [&](const market::Clause& clause) {
             return holds(entry, clause, demand.units);
           });
  }

  std::map<uint64_t, Entry> entries_;
};

}  // namespace mizan::fuzz
