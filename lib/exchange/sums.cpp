// The sum, not the slice: what the leases of one account, person or group use together.
#include "exchange/core.hpp"
#include "policy/judge.hpp"

#include <algorithm>
#include <limits>

namespace mizan::exchange {
namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
constexpr size_t kMostChips = 64;
constexpr size_t kMostCounted = 64;

/// More than any core does, in 10^12 operations a second: 2048 multiply-adds of 8 bits a cycle at
/// 4 GHz.
constexpr uint64_t kCorePeak = 17;

bool has_accelerator(const std::string& chip) {
  return chip != "cpu" && chip != "n/a";
}

void add_to(UnitSeconds& sums, const std::string& chip, uint64_t unit_seconds) {
  auto place = sums.find(chip);
  if (place == sums.end())
    place = sums.try_emplace(sums.size() < kMostChips ? chip : std::string(), 0).first;
  place->second = sum_or_most(place->second, unit_seconds);
}

u128 lease_unit_seconds(const Lease& lease) {
  return u128{lease.units()} * lease.terms.seconds;
}

uint64_t to_count(u128 value) {
  return value > kMost ? kMost : static_cast<uint64_t>(value);
}

}  // namespace

uint64_t sum_or_most(uint64_t a, uint64_t b) {
  return a > kMost - b ? kMost : a + b;
}

uint64_t product_or_most(uint64_t a, uint64_t b) {
  uint64_t out = 0;
  return __builtin_mul_overflow(a, b, &out) ? kMost : out;
}

/// Adds a lease to the sums of all whom it is counted for, or takes it away again.
void Exchange::Core::count_use(const Lease& lease, bool add) {
  const bool accelerators = has_accelerator(lease.chip);
  for (const Subject& subject : lease.counted) {
    Use& use = use_[subject];
    uint64_t& units = accelerators ? use.accelerators : use.cores;
    if (add) {
      units += lease.units();
      use.unit_seconds[lease.chip] += lease_unit_seconds(lease);
      if (lease.state == LeaseState::held) ++use.held;
      continue;
    }
    units -= lease.units();
    const auto place = use.unit_seconds.find(lease.chip);
    if ((place->second -= lease_unit_seconds(lease)) == 0) use.unit_seconds.erase(place);
    if (lease.state == LeaseState::held) --use.held;
    if (use.accelerators == 0 && use.cores == 0) use_.erase(subject);
  }
}

/// From now on the lease counts for these as well: whom it counted for once, it counts for till its
/// end, so that a new parent does not make the old one's sum smaller.
void Exchange::Core::count_more(Lease& lease, const std::vector<Subject>& subjects) {
  count_use(lease, false);
  for (const Subject& subject : subjects) {
    const auto place = std::lower_bound(lease.counted.begin(), lease.counted.end(), subject);
    if (place != lease.counted.end() && *place == subject) continue;
    ensure(lease.counted.size() < kMostCounted, "the number of proofs is bounded");
    lease.counted.insert(place, subject);
  }
  count_use(lease, true);
}

/// What a lease that is over may have worked at most: all of its units from its opening to now.
void Exchange::Core::add_worked(const Lease& lease) {
  if (!lease.funded()) return;
  const uint64_t open_ms = state.now.ms - lease.opened_at.ms;
  const uint64_t seconds = std::min(lease.terms.seconds, open_ms / 1000 + 1);
  for (const Subject& subject : lease.counted)
    add_to(state.worked[subject], lease.chip, product_or_most(lease.units(), seconds));
}

uint64_t Exchange::Core::group_units(const Address& buyer, bool accelerator) const {
  uint64_t most = 0;
  for (const Subject& subject : subjects_of(buyer)) {
    const auto use = use_.find(subject);
    if (use == use_.end()) continue;
    most = std::max(most, accelerator ? use->second.accelerators : use->second.cores);
  }
  return most;
}

std::optional<uint64_t> Exchange::Core::group_work(const Address& buyer, const std::string& chip,
                                                   uint64_t unit_seconds) const {
  bool known = true;
  const auto work = [&](const std::string& name, uint64_t amount) -> uint64_t {
    if (!has_accelerator(name)) return product_or_most(kCorePeak, amount);
    if (rules->chip(name) == nullptr) {
      known = false;
      return 0;
    }
    const auto peak = policy::training_work(*rules, name, 1, 1);
    known = known && peak.has_value();
    return peak ? product_or_most(*peak, amount) : 0;
  };
  const uint64_t deal = unit_seconds == 0 ? 0 : work(chip, unit_seconds);
  uint64_t most = deal;
  for (const Subject& subject : subjects_of(buyer)) {
    uint64_t sum = deal;
    if (const auto use = use_.find(subject); use != use_.end())
      for (const auto& [name, amount] : use->second.unit_seconds)
        sum = sum_or_most(sum, work(name, to_count(amount)));
    if (const auto past = state.worked.find(subject); past != state.worked.end())
      for (const auto& [name, amount] : past->second) sum = sum_or_most(sum, work(name, amount));
    most = std::max(most, sum);
  }
  if (!known) return std::nullopt;
  return most;
}

uint64_t Exchange::Core::held_of(const Address& buyer) const {
  uint64_t most = 0;
  for (const Subject& subject : subjects_of(buyer))
    if (const auto use = use_.find(subject); use != use_.end())
      most = std::max<uint64_t>(most, use->second.held);
  return most;
}

}  // namespace mizan::exchange
