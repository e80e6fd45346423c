// Challenges for presentations of credentials: fresh, for five minutes, good once.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <map>
#include <mutex>
#include <set>
#include <string>

namespace mizan::service {

/// A challenge carries its own time and a keyed hash, so that asking for one costs no memory: only
/// those that a valid presentation spent are kept, for their five minutes. The key is the process's
/// own; a restart makes older challenges worthless. Safe from many threads.
class Challenges {
 public:
  static constexpr uint64_t kLifeMs = 300'000;

  explicit Challenges(size_t most_spent = 100'000);

  std::string make(UnixMs now);
  /// Takes a challenge out of use. `replayed` if it is spent, too old or none of this process's;
  /// limit_exceeded while too many are spent.
  Result<void> spend(std::string_view challenge, UnixMs now);

 private:
  std::string keyed_hash(std::string_view stamp) const;

  const size_t most_spent_;
  const std::string key_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> spent_;
  std::multimap<uint64_t, std::string> by_time_;  ///< when each may be forgotten
};

}  // namespace mizan::service
