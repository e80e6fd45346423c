#include "exchange/places.hpp"

#include "exchange/core.hpp"

#include <algorithm>
#include <limits>

namespace mizan::exchange {
namespace {

constexpr uint64_t kPlaceBytes = 1024;
constexpr uint64_t kNodeBytes = 4;

/// Of a provider with asks that may give way.
std::optional<Places::Turn> turn_of(const Address& provider, const Standing& standing) {
  if (standing.idle == 0) return std::nullopt;
  const uint64_t key =
      standing.live ? std::numeric_limits<uint64_t>::max() - standing.idle : standing.heard_at.ms;
  return Places::Turn{standing.live, key, provider};
}

bool is_blank(const Standing& standing) {
  return !standing.record && !standing.live && standing.places == 0 && standing.leases == 0;
}

}  // namespace

uint64_t places_of(const eip712::Ask& ask, std::string_view attributes) {
  const uint64_t bytes = attributes.size() + kNodeBytes * ask.nodes;
  return (bytes + kPlaceBytes - 1) / kPlaceBytes;
}

void Places::move(const Address& provider, const Standing& before, const Standing& after) {
  const auto had = turn_of(provider, before);
  const auto has = turn_of(provider, after);
  if (had != has || before.record != after.record) {
    if (had) turns_[before.record ? 1 : 0].erase(*had);
    if (has) turns_[after.record ? 1 : 0].insert(*has);
  }
  taken_[before.record ? 1 : 0] -= before.places;
  taken_[after.record ? 1 : 0] += after.places;
  if (is_blank(before)) blank_.erase({before.heard_at.ms, provider});
  if (is_blank(after)) blank_.insert({after.heard_at.ms, provider});
}

uint64_t Places::beyond_part(bool record, uint64_t all) const {
  const uint64_t strangers = all / 4;
  const uint64_t part = record ? all - strangers : strangers;
  const uint64_t taken = taken_[record ? 1 : 0];
  return taken - std::min(taken, part);
}

/// Notes how the provider stands now. To be called when it was heard while it is silent, when it
/// falls silent or comes back, when a lease of it ended well, and when any of its sums changed.
void Exchange::Core::stand(const Address& address, ProviderRecord& provider) {
  Standing now = provider.standing;
  now.record = provider.leases_ended_well != 0;
  now.live = provider.alive;
  now.heard_at = provider.heard_at;
  now.places = provider.places;
  now.idle = provider.idle_places;
  now.leases = provider.live_leases;
  places.move(address, provider.standing, now);
  provider.standing = now;
}

/// A lease takes units of the ask, or gives them back.
void Exchange::Core::count_on_ask(AskRecord& ask, bool takes) {
  const uint64_t weight = places_of(ask.ask, ask.attributes);
  ProviderRecord& provider = state.providers.find(ask.ask.provider)->second;
  if (takes && ask.leases++ == 0)
    provider.idle_places -= weight;
  else if (!takes && --ask.leases == 0)
    provider.idle_places += weight;
  stand(ask.ask.provider, provider);
}

/// A lease begins, or is over.
void Exchange::Core::count_live(const Address& address, bool begins) {
  ProviderRecord& provider = state.providers.find(address)->second;
  if (begins)
    ++provider.live_leases;
  else
    --provider.live_leases;
  stand(address, provider);
}

/// Of the asks that no lease holds, the newest first: the oldest is most likely to be the one that
/// its provider lives by.
std::vector<OrderId> Exchange::Core::idle_asks(const Address& provider) const {
  std::vector<std::pair<uint64_t, OrderId>> idle;
  for (const OrderId& id : asks_by_provider.find(provider)->second) {
    const AskRecord& record = state.asks.find(id)->second;
    if (record.leases == 0) idle.emplace_back(record.sequence, id);
  }
  std::sort(idle.rbegin(), idle.rend());
  std::vector<OrderId> out;
  out.reserve(idle.size());
  for (const auto& [sequence, id] : idle) out.push_back(id);
  return out;
}

/// The asks that give way to a new one that takes `wanted` places: none while there are places
/// left, and a refusal if too few of them may. Its own side's silent providers give way to it, and
/// live ones as long as they hold as much without the ask as the newcomer does with its own, so
/// that no two take turns at displacing each other; of the other side, who holds more than that
/// side's part.
Result<std::vector<OrderId>> Exchange::Core::giving_way(const Address& newcomer,
                                                        uint64_t wanted) const {
  std::vector<OrderId> out;
  const uint64_t all = state.config->limits.all_asks;
  uint64_t lacking = places.taken() + wanted - std::min(places.taken() + wanted, all);
  const auto known = state.providers.find(newcomer);
  const Standing mine = known == state.providers.end() ? Standing{} : known->second.standing;
  for (const bool record : {false, true}) {
    uint64_t beyond = places.beyond_part(record, all);
    for (const Places::Turn& turn : places.turns(record)) {
      if (lacking == 0) return out;
      if (turn.provider == newcomer) continue;
      const bool own_side = record == mine.record;
      if (!own_side && beyond == 0) break;
      uint64_t left = state.providers.find(turn.provider)->second.idle_places;
      const size_t before = out.size();
      for (const OrderId& id : idle_asks(turn.provider)) {
        const AskRecord& ask = state.asks.find(id)->second;
        const uint64_t weight = places_of(ask.ask, ask.attributes);
        if (lacking == 0 || (!own_side && beyond == 0)) break;
        if (own_side && turn.live && left < mine.idle + wanted + weight) continue;
        out.push_back(id);
        left -= weight;
        lacking -= std::min(lacking, weight);
        beyond -= std::min(beyond, weight);
      }
      if (turn.live && out.size() == before) break;  // nobody after it holds more
    }
  }
  if (lacking == 0) return out;
  return fail(ErrorCode::limit_exceeded,
              "the exchange holds as many asks as it can, and nobody has so many that this one "
              "could take a place of them: try again later");
}

/// Strangers of whom nothing is left but the nonces that they used, when there are too many.
void Exchange::Core::forget_strangers() {
  while (!places.blank().empty() && places.blank().size() > state.config->limits.all_asks) {
    const Address address = places.blank().begin()->second;
    const auto it = state.providers.find(address);
    Standing gone;
    gone.record = true;  // which is in no order
    places.move(address, it->second.standing, gone);
    state.providers.erase(it);
  }
}

}  // namespace mizan::exchange
