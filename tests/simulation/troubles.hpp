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
    auto& spans = spans_[place];
    spans.push_back({from_ms, until_ms});
    if (spans.size() > 4'000) spans.pop_front();
  }
  /// The longest stretch without a rest of `rest_ms` that reaches into [from_ms, until_ms], in ms;
  /// 0 if all was well.
  uint64_t longest(size_t place, uint64_t from_ms, uint64_t until_ms, uint64_t rest_ms) const {
    std::vector<Span> found;
    for (const size_t where : {place, kEverywhere}) {
      const auto spans = spans_.find(where);
      if (spans == spans_.end()) continue;
      for (const Span& span : spans->second)
        if (span.until_ms + rest_ms >= from_ms && span.from_ms <= until_ms) found.push_back(span);
    }
    std::sort(found.begin(), found.end(),
              [](const Span& a, const Span& b) { return a.from_ms < b.from_ms; });
    uint64_t longest = 0;
    Span at{};
    for (const Span& span : found) {
      if (at.until_ms == 0 || span.from_ms > at.until_ms + rest_ms) at = span;
      at.until_ms = std::max(at.until_ms, span.until_ms);
      longest = std::max(longest, at.until_ms - at.from_ms + 1);
    }
    return longest;
  }

 private:
  struct Span {
    uint64_t from_ms = 0;
    uint64_t until_ms = 0;
  };
  std::map<size_t, std::deque<Span>> spans_;
};

}  // namespace mizan::simulation
