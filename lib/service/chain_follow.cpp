// How the desk follows the contract: what the node tells becomes commands, and whether it is heard.
#include "service/chain_desk.hpp"
#include "service/chain_items.hpp"
#include "settlement/escrow_errors.hpp"

#include <utility>

namespace mizan::service {
namespace {

using exchange::Exchange;

constexpr uint64_t kRefusedPauseMs = 30'000;
constexpr uint64_t kAwayMs = 300'000;   // without a word of the chain
constexpr uint64_t kBusyPauseMs = 250;  // where the exchange has no time to take it now

std::vector<exchange::ChainFact> facts_of(const std::vector<settlement::SeenEvent>& events) {
  std::vector<exchange::ChainFact> facts;
  for (const settlement::SeenEvent& seen : events)
    std::visit(
        [&](auto event) {
          using Event = decltype(event);
          if constexpr (std::same_as<Event, exchange::chain::Opened>) event.time = seen.time;
          if constexpr (std::is_constructible_v<exchange::ChainFact, Event>)
            facts.emplace_back(std::move(event));
        },
        seen.event);
  return facts;
}

}  // namespace

/// Tells the exchange when the chain was not heard for long, and when it is heard again: after a
/// restart too, that one was away is over once everything that the node tells was taken.
void ChainDesk::tell_away() {
  const uint64_t now = context_.parts.clock.monotonic().ms;
  if (heard_) heard_at_ms_ = now;
  const bool away = !heard_ && (away_ || old_ || now - heard_at_ms_ > kAwayMs);
  if (away_.exchange(away) == away) return;
  if (away) context_.parts.log.error("chain_away", {{"note", "no lease opens until it is heard"}});
  context_.sequencer.submit(exchange::ChainAway{away}, std::nullopt,
                            [this, away](const Result<Applied>& applied) {
                              if (!applied) away_ = !away;  // it is told again
                            });
}

Result<bool> ChainDesk::follow() {
  heard_ = old_ = false;
  {
    const std::lock_guard lock(mutex_);
    if (told_ == Told::waits) return false;
    // What the exchange refused is read again from where it stands, but not at once.
    if (told_ == Told::refused) {
      follower_.reset();
      const bool early = context_.parts.clock.monotonic().ms < again_at_.ms;
      if (early && refusal_.empty()) return false;
      if (early)
        return fail(ErrorCode::corrupted, "the exchange refuses what the chain tells: " + refusal_);
    }
    told_ = Told::nothing;
  }
  std::vector<ledger::Place> places;
  context_.state.read([&](const Exchange& core) {
    const ledger::Place last = core.chain()->last();
    seen_to_ = last.number;
    seen_time_ = last.time;
    if (follower_) return;
    places = core.chain()->places();
    places.insert(places.begin(), core.chain()->base());
  });
  if (!follower_)
    follower_.emplace(context_.parts.chain->node, chain_.contract, chain_.first,
                      settlement::FollowerOptions{.depth = chain_.depth}, places);
  MIZAN_TRY(changes, follower_->poll());
  for (const settlement::Change& change : changes) submit(change);
  const Result<void> fresh = check_age(follower_->head_time());
  old_ = !fresh;
  if (!changes.empty()) return true;
  MIZAN_CHECK(fresh);
  note("look ahead", look_ahead());
  heard_ = true;
  return false;
}

/// What is in blocks that are not deep enough to be facts: readers are told of openings, and what a
/// buyer stopped is neither served nor metered any more.
Result<void> ChainDesk::look_ahead() {
  MIZAN_TRY(events, follower_->ahead());
  if (!events) return {};
  opened_ahead_.clear();
  for (const settlement::SeenEvent& event : *events) {
    if (const auto* opened = std::get_if<exchange::chain::Opened>(&event.event))
      opened_ahead_[opened->lease] = event.block;
    const auto* stop = std::get_if<exchange::chain::CloseRequested>(&event.event);
    if (stop == nullptr) continue;
    const bool live = context_.state.read([&](const Exchange& core) {
      const exchange::Lease* lease = core.find_lease(stop->lease);
      return lease != nullptr && lease->stoppable();
    });
    if (live)
      context_.sequencer.submit(exchange::StopSeen{stop->lease, stop->stop}, std::nullopt,
                                [](const Result<Applied>&) {});
  }
  return {};
}

/// A node that answers and does not follow its chain any more is as good as away.
Result<void> ChainDesk::check_age(uint64_t head_time) {
  const uint64_t now = context_.time.now().ms / 1000;
  if (chain_.chain_id == exchange::kDevelopmentChain || head_time + kAwayMs / 1000 >= now)
    return {};
  return fail(ErrorCode::unavailable,
              "the node's newest block is " + std::to_string((now - head_time) / 60) +
                  " minutes old: the node does not follow its chain, or this machine's clock is "
                  "ahead");
}

/// What was brought to the contract and not taken can't open any more once its clearance is over
/// there. It ends in this very step; the exchange is told why, for it would only know that it did.
void ChainDesk::tell_reasons(const settlement::Seen& seen) {
  std::set<LeaseId> opened;
  for (const settlement::SeenEvent& event : seen.events)
    if (const auto* one = std::get_if<settlement::Opened>(&event.event)) opened.insert(one->lease);
  std::vector<exchange::NotOpened> told;
  context_.state.read([&](const Exchange& core) {
    for (const exchange::Lease* lease : core.opening()) {
      if (lease->funded() || seen.to.time <= lease->clearance_until || opened.contains(lease->id))
        continue;
      const settlement::Entry* entry = outbox_.find("open:" + opening_name(*lease));
      if (entry == nullptr) continue;
      const std::string refusal = settlement::revert_code(entry->reason);
      if (!refusal.empty()) told.push_back({lease->id, refusal});
    }
  });
  for (exchange::NotOpened& one : told)
    context_.sequencer.submit(std::move(one), std::nullopt, [](const Result<Applied>&) {});
}

void ChainDesk::submit(const settlement::Change& change) {
  {
    const std::lock_guard lock(mutex_);
    told_ = Told::waits;
  }
  exchange::Command command;
  if (const auto* seen = std::get_if<settlement::Seen>(&change)) {
    tell_reasons(*seen);
    command = exchange::ChainSeen{seen->to, facts_of(seen->events)};
  } else {
    const auto& back = std::get<settlement::TakenBack>(change);
    context_.parts.log.warn("chain_turned", {{"back_to", std::to_string(back.back_to.number)}});
    command = exchange::ChainTakenBack{back.back_to};
  }
  context_.sequencer.submit(std::move(command), std::nullopt,
                            [this](const Result<Applied>& applied) {
                              const Error* error = nullptr;
                              if (!applied)
                                error = &applied.error();
                              else if (!applied->outcome.answer)
                                error = &applied->outcome.answer.error();
                              {
                                const std::lock_guard lock(mutex_);
                                told_ = error == nullptr ? Told::nothing : Told::refused;
                                if (error != nullptr) {
                                  const bool busy = error->code == ErrorCode::unavailable;
                                  refusal_ = busy ? "" : error->message;
                                  again_at_ = MonotonicMs{context_.parts.clock.monotonic().ms +
                                                          (busy ? kBusyPauseMs : kRefusedPauseMs)};
                                }
                              }
                              wake();
                            });
}

}  // namespace mizan::service
