// Things that fall due, ordered by time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.hpp"

#include <optional>
#include <set>
#include <utility>

namespace mizan::exchange {

/// A queue of (time, key). A deadline that moved later need not be moved here: whoever takes a key
/// compares its deadline with the time for which it was armed, and arms it anew if it is later,
/// even if it is due by now, so that things happen in the order of their deadlines alone. (A
/// snapshot holds no queue: one that is read arms everything for its true deadline.)
template <class Key>
class Deadlines {
 public:
  // Most things that are armed fall due after all others.
  void arm(UnixMs at, const Key& key) { queue_.insert(queue_.end(), {at.ms, key}); }
  void disarm(UnixMs at, const Key& key) { queue_.erase({at.ms, key}); }

  /// Takes the earliest key whose time is not after `now`; `armed_for` gets that time.
  std::optional<Key> take_due(UnixMs now, UnixMs* armed_for = nullptr) {
    if (queue_.empty() || queue_.begin()->first > now.ms) return std::nullopt;
    if (armed_for != nullptr) armed_for->ms = queue_.begin()->first;
    Key key = queue_.begin()->second;
    queue_.erase(queue_.begin());
    return key;
  }
  std::optional<UnixMs> next() const {
    if (queue_.empty()) return std::nullopt;
    return UnixMs{queue_.begin()->first};
  }

 private:
  std::set<std::pair<uint64_t, Key>> queue_;
};

}  // namespace mizan::exchange
