// When a party of a simulated world was kept from the exchange: what the auditor excuses.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace mizan::simulation {

/// Spans of the world's time by party. Those of the exchange are everybody's.
class Troubles {
 public:
  static constexpr size_t kEverywhere = ~size_t{0};

  void note(size_t place, uint64_t from_ms, uint64_t until_ms) { add(place, {from_ms, until_ms}); }
  /// What the party may wait for after a trouble: it counts only where it goes on from one.
  void note_wait(size_t place, uint64_t from_ms, uint64_t until_ms) {
    add(place, {from_ms, until_ms, true});
  }
  /// When the last one of all ends.
  uint64_t last_until_ms() const { return last_until_ms_; }
  /// How long the party was kept away in one go within [from_ms, until_ms], in ms; 0 if never.
  /// After a trouble it needs a moment before it is heard again, and what it may wait for.
  uint64_t longest(size_t place, uint64_t from_ms, uint64_t until_ms) const {
    return sum(place, from_ms, until_ms).longest_ms;
  }
  /// How long in all, in ms.
  uint64_t all_of(size_t place, uint64_t from_ms, uint64_t until_ms) const {
    return sum(place, from_ms, until_ms).all_ms;
  }

 private:
  struct Sum {
    uint64_t longest_ms = 0;
    uint64_t all_ms = 0;
  };
  Sum sum(size_t place, uint64_t from_ms, uint64_t until_ms) const {
    std::vector<Span> found;
    for (const size_t where : {place, kEverywhere}) {
      const auto spans = spans_.find(where);
      if (spans == spans_.end()) continue;
      for (const Span& span : spans->second)
        if (span.until_ms + kChainMs >= from_ms && span.from_ms <= until_ms) found.push_back(span);
    }
    std::sort(found.begin(), found.end(),
              [](const Span& a, const Span& b) { return a.from_ms < b.from_ms; });
    Sum out;
    uint64_t before = 0;  ///< what the run at hand has added to the sum
    Span at{};
    for (const Span& span : found) {
      if (at.until_ms == 0 || span.from_ms > at.until_ms + kRestMs) {
        if (span.is_wait) continue;
        at = span;
        before = 0;
      }
      at.until_ms = std::max(at.until_ms, span.until_ms);
      const uint64_t begin = std::max(at.from_ms, from_ms);
      const uint64_t end = std::min(at.until_ms + kRestMs, until_ms);
      if (end < begin) continue;
      const uint64_t ms = end - begin + 1;
      out.longest_ms = std::max(out.longest_ms, ms);
      out.all_ms += ms - before;
      before = ms;
    }
    return out;
  }

  struct Span {
    uint64_t from_ms = 0;
    uint64_t until_ms = 0;
    bool is_wait = false;
  };
  void add(size_t place, const Span& span) {
    if (!span.is_wait) last_until_ms_ = std::max(last_until_ms_, span.until_ms);
    auto& spans = spans_[place];
    spans.push_back(span);
    // In the order of their notes, which is about that of time: nobody asks for what is long past.
    while (spans.size() > 4'000 || spans.front().until_ms + kForgetMs < span.from_ms)
      spans.pop_front();
  }
  static constexpr uint64_t kForgetMs = 20 * 60'000;
  /// A request that was overtaken, the handshake, the welcome and the first heartbeat.
  static constexpr uint64_t kRestMs = 500;
  /// What ended so long before may have waits that reach into the time that is asked for.
  static constexpr uint64_t kChainMs = 10'000;

  std::map<size_t, std::deque<Span>> spans_;
  uint64_t last_until_ms_ = 0;
};

}  // namespace mizan::simulation
