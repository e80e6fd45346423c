#include "service/challenges.hpp"

#include "crypto/hash.hpp"
#include "crypto/random.hpp"

#include <charconv>

namespace mizan::service {
namespace {

constexpr size_t kRandomBytes = 16;
constexpr size_t kMostBytes = 200;

tl::unexpected<Error> spent(const char* why) {
  return fail(Error{
      ErrorCode::replayed,
      std::string("the presentation's challenge ") + why + "; ask for a new one",
      {}}.with("field", "presentation.nonce"));
}

}  // namespace

Challenges::Challenges(size_t most_spent) : most_spent_(most_spent), key_(hex(random_bytes(32))) {}

std::string Challenges::keyed_hash(std::string_view stamp) const {
  return hex(keccak256(key_ + std::string(stamp)).view());
}

std::string Challenges::make(UnixMs now) {
  const std::string stamp = std::to_string(now.ms) + "." + hex(random_bytes(kRandomBytes));
  return stamp + "." + keyed_hash(stamp);
}

Result<void> Challenges::spend(std::string_view challenge, UnixMs now) {
  const size_t end = challenge.rfind('.');
  if (challenge.size() > kMostBytes || end == std::string_view::npos)
    return spent("is not this exchange's");
  const std::string_view stamp = challenge.substr(0, end);
  if (!constant_time_equal(as_bytes(challenge.substr(end + 1)), as_bytes(keyed_hash(stamp))))
    return spent("is not this exchange's");
  uint64_t made = 0;  // the hash holds, so it was written here
  std::from_chars(stamp.data(), stamp.data() + stamp.size(), made);
  if (made + kLifeMs <= now.ms) return spent("is more than five minutes old");
  const std::lock_guard lock(mutex_);
  while (!by_time_.empty() && by_time_.begin()->first <= now.ms) {
    spent_.erase(by_time_.begin()->second);
    by_time_.erase(by_time_.begin());
  }
  if (spent_.contains(challenge)) return spent("was answered before");
  if (spent_.size() >= most_spent_)
    return fail(ErrorCode::limit_exceeded, "too many presentations within five minutes; wait");
  spent_.emplace(challenge);
  by_time_.emplace(made + kLifeMs, challenge);
  return {};
}

}  // namespace mizan::service
