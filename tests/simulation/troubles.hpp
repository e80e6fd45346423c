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

  void note(size_t place, uint64_t from_ms, uint64_t until_ms) {
    last_until_ms_ = std::max(last_until_ms_, until_ms);
    auto& spans = spans_[place];
    spans.push_back({from_ms, until_ms});
    // In the order of their notes, which is about that of time: nobody asks for what is long past.
    while (spans.size() > 4'000 || spans.front().until_ms + kForgetMs < from_ms) spans.pop_front();
  }
  /// When the last one of all ends.
  uint64_t last_until_ms() const { return last_until_ms_; }
  /// How long the party was kept away in one go within [from_ms, until_ms], in ms; 0 if never.
  /// After a trouble it needs a while before it is heard again, the longer the trouble was.
  uint64_t longest(size_t place, uint64_t from_ms, uint64_t until_ms) const {
    std::vector<Span> found;
    for (const size_t where : {place, kEverywhere}) {
      const auto spans = spans_.find(where);
      if (spans == spans_.end()) continue;
      for (const Span& span : spans->second)
        if (span.until_ms + kRestMostMs >= from_ms && span.from_ms <= until_ms)
          found.push_back(span);
    }
    std::sort(found.begin(), found.end(),
              [](const Span& a, const Span& b) { return a.from_ms < b.from_ms; });
    uint64_t longest = 0;
    Span at{};
    for (const Span& span : found) {
      if (at.until_ms == 0 || span.from_ms > at.until_ms + rest_ms(at)) at = span;
      at.until_ms = std::max(at.until_ms, span.until_ms);
      const uint64_t begin = std::max(at.from_ms, from_ms);
      const uint64_t end = std::min(at.until_ms + rest_ms(at), until_ms);
      if (end >= begin) longest = std::max(longest, end - begin + 1);
    }
    return longest;
  }

 private:
  struct Span {
    uint64_t from_ms = 0;
    uint64_t until_ms = 0;
  };
  static constexpr uint64_t kForgetMs = 20 * 60'000;
  /// An agent that finds nobody waits up to 5 s before it looks again.
  static constexpr uint64_t kRestMostMs = 5'500;
  static uint64_t rest_ms(const Span& span) {
    return std::min(kRestMostMs, 500 + (span.until_ms - span.from_ms));
  }

  std::map<size_t, std::deque<Span>> spans_;
  uint64_t last_until_ms_ = 0;
};

}  // namespace mizan::simulation
