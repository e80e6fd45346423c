#include "service/rate_limit.hpp"

#include <algorithm>

namespace mizan::service {

namespace {
constexpr uint64_t kOne = 1000;
}

uint64_t RateLimit::left(const std::string& key, uint64_t now) const {
  const uint64_t most = options_.burst * kOne;
  const auto bucket = buckets_.find(key);
  if (bucket == buckets_.end()) return most;
  const uint64_t passed = now - std::min(now, bucket->second.at_ms);
  if (passed >= most) return most;  // at least one a second comes back
  return std::min(most, bucket->second.left + passed * options_.per_second);
}

/// Whoever has all again need not be known; past the most, strangers' past is forgotten.
void RateLimit::forget(uint64_t now) {
  if (buckets_.size() < kMostKeys) return;
  std::erase_if(buckets_,
                [&](const auto& entry) { return left(entry.first, now) >= options_.burst * kOne; });
  if (buckets_.size() >= kMostKeys) buckets_.clear();
}

Result<void> RateLimit::look(const std::string& key, uint64_t count, uint64_t now) const {
  if (left(key, now) >= count * kOne) return {};
  return fail(Error{ErrorCode::limit_exceeded, "too many " + what_ + "; wait a little", {}}.with(
      "perSecond", std::to_string(options_.per_second)));
}

void RateLimit::spend(const std::string& key, uint64_t count, uint64_t now) {
  forget(now);
  const uint64_t had = left(key, now);
  buckets_[key] = {had - std::min(had, count * kOne), now};
}

Result<void> RateLimit::check(const std::string& key) {
  if (options_.per_second == 0) return {};
  const std::lock_guard lock(mutex_);
  return look(key, 1, clock_.monotonic().ms);
}

void RateLimit::charge(const std::string& key) {
  if (options_.per_second == 0) return;
  const std::lock_guard lock(mutex_);
  spend(key, 1, clock_.monotonic().ms);
}

Result<void> RateLimit::take(const std::string& key, uint64_t count) {
  if (options_.per_second == 0) return {};
  // Under one lock: of many threads no more get through than there is left.
  const std::lock_guard lock(mutex_);
  const uint64_t now = clock_.monotonic().ms;
  count = std::min<uint64_t>(count, options_.burst);
  MIZAN_CHECK(look(key, count, now));
  spend(key, count, now);
  return {};
}

}  // namespace mizan::service
