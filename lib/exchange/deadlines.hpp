// Things that fall due, ordered by time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.hpp"

#include <optional>
#include <set>
#include <utility>

namespace mizan::exchange {

/// A queue of (time, key). Whoever takes a key checks whether it is due indeed: a deadline that
/// moved later need not be moved here, it is armed anew when it comes up.
template <class Key>
class Deadlines {
 public:
  void arm(UnixMs at, const Key& key) { queue_.insert({at.ms, key}); }
  void disarm(UnixMs at, const Key& key) { queue_.erase({at.ms, key}); }

  /// Takes the earliest key whose time is not after `now`.
  std::optional<Key> take_due(UnixMs now) {
    if (queue_.empty() || queue_.begin()->first > now.ms) return std::nullopt;
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
