// How often somebody may ask for what is dear.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"

#include <map>
#include <mutex>
#include <string>

namespace mizan::service {

/// `burst` at once, and `per_second` again each second, for each key. Safe from many threads.
struct RateLimitOptions {
  uint32_t burst = 0;
  uint32_t per_second = 0;  ///< 0: no limit
};

class RateLimit {
 public:
  RateLimit(const Clock& clock, RateLimitOptions options, std::string what)
      : clock_(clock), options_(options), what_(std::move(what)) {}

  /// limit_exceeded if the key has nothing left.
  Result<void> check(const std::string& key);
  /// Takes one; what is not there is not owed.
  void charge(const std::string& key);
  /// check and charge, in one step, of so many at once; more than `burst` are as many.
  Result<void> take(const std::string& key, uint64_t count = 1);

 private:
  static constexpr size_t kMostKeys = 100'000;
  /// What the key has, in thousandths.
  uint64_t left(const std::string& key, uint64_t now) const;
  void forget(uint64_t now);
  Result<void> look(const std::string& key, uint64_t count, uint64_t now) const;
  void spend(const std::string& key, uint64_t count, uint64_t now);

  struct Bucket {
    uint64_t left = 0;
    uint64_t at_ms = 0;
  };
  const Clock& clock_;
  const RateLimitOptions options_;
  const std::string what_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;  ///< a key that is not there has all
};

}  // namespace mizan::service
