#include "exchange/core.hpp"

#include <algorithm>

namespace mizan::exchange {

uint64_t seconds_vouchered(const Lease& lease) {
  const u128 a_second = lease.terms.rate * lease.units();
  return a_second == 0 ? lease.covered_ms / 1000
                       : static_cast<uint64_t>(lease.vouchered / a_second);
}

market::Milli reliability(const ProviderRecord& provider) {
  if (provider.leases_ended == 0) return market::kUnknown;
  return static_cast<market::Milli>(provider.leases_ended_well * 1000 / provider.leases_ended);
}

UnixMs Exchange::Core::lapse_at(const ProviderRecord& provider) const {
  return later(std::max(provider.heard_at, state.resumed_at), kLapseMs);
}

UnixMs Exchange::Core::silence_at(const Lease& lease) const {
  return later(std::max(lease.heard_at, state.resumed_at), lease.terms.grace * 1000);
}

/// When a lease that nobody closes is finalized: its end, or its stop, + grace + 15 min; nobody can
/// close one while the exchange is away.
UnixMs Exchange::Core::abandoned_at(const Lease& lease) const {
  UnixMs end = at_seconds(lease.terms.start + lease.terms.seconds);
  if (lease.stopped_at.ms != 0) end = std::min(end, lease.stopped_at);
  return later(std::max(end, state.resumed_at), lease.terms.grace * 1000 + kAbandonMs);
}

/// Its bid names a key of its buyer: the exchange signs no voucher for it.
bool Exchange::Core::self_metered(const Lease& lease) const {
  return lease.terms.meter != state.config->meter;
}

/// Its bill is fixed, and its buyer has not signed all of it yet.
bool Exchange::Core::awaits_voucher(const Lease& lease) const {
  return self_metered(lease) && lease.closing && !lease.billed && !lease.over() &&
         lease.vouchered < lease.final_charge;
}

/// Until when the buyer's last voucher is waited for, whom the exchange may have been away for.
UnixMs Exchange::Core::last_voucher_by(const Lease& lease) const {
  return later(std::max(lease.closing_at, state.resumed_at), lease.terms.grace * 1000);
}

/// When a held deal that nobody decides is undone; nor does it outlast its bid.
UnixMs Exchange::Core::held_until(const Lease& lease) {
  return std::min(later(lease.held_at, kHoldMs), bid_deadline(lease.bid));
}

/// The exchange was away and could hear nobody: whoever waits on a heartbeat or an acceptance waits
/// anew. The queues find the later deadlines when the old ones come up.
void Exchange::Core::resume() {
  state.resumed_at = state.now;
}

void Exchange::Core::advance() {
  // Capacity that is gone is taken away first, so that nothing below is matched to it.
  lapse_providers();
  expire_orders();
  expire_leases();
  forget();
}

void Exchange::Core::lapse_providers() {
  UnixMs armed_for;
  while (const auto address = lapses_.take_due(state.now, &armed_for)) {
    const auto it = state.providers.find(*address);
    if (it == state.providers.end()) continue;  // set aside, and forgotten since
    ProviderRecord& provider = it->second;
    const UnixMs due = lapse_at(provider);
    if (due > armed_for)
      lapses_.arm(due, *address);
    else
      set_alive(*address, provider, false);
  }
}

void Exchange::Core::expire_orders() {
  while (const auto id = ask_ends_.take_due(state.now)) {
    const Address provider = state.asks.find(*id)->second.ask.provider;
    remove_ask(*id);
    emit(AskChanged{*id, provider, AskChange::expired});
  }
  while (const auto id = bid_ends_.take_due(state.now)) end_bid(*id, BidChange::expired);
  while (const auto id = ask_starts_.take_due(state.now)) {
    woken_asks_.push_back(*id);
    ++version;
  }
}

void Exchange::Core::expire_leases() {
  while (const auto id = holds_.take_due(state.now)) {
    const auto it = state.leases.find(*id);
    if (it == state.leases.end() || it->second.state != LeaseState::held) continue;
    const OrderId order = it->second.order;
    undo(it->second, "policy_undecided", false);
    end_bid(order, BidChange::expired);
  }
  UnixMs armed_for;
  while (const auto id = acceptances_.take_due(state.now, &armed_for)) {
    const auto it = state.leases.find(*id);
    if (it == state.leases.end() || it->second.state != LeaseState::matched) continue;
    const UnixMs due = accept_by(it->second);
    if (due > armed_for) {
      acceptances_.arm(due, *id);
      continue;
    }
    if (check_clears()) count_refusal(it->second);  // else none could be accepted
    undo(it->second, "not_accepted", true);
  }
  while (const auto id = lease_ends_.take_due(state.now, &armed_for)) {
    const auto it = state.leases.find(*id);
    if (it == state.leases.end() || it->second.over()) continue;
    Lease& lease = it->second;
    if (awaits_voucher(lease)) {
      const UnixMs due = last_voucher_by(lease);
      if (due > state.now) {
        lease_ends_.arm(due, *id);
        continue;
      }
      bill_as_vouchered(lease);
      settle(lease);
      continue;
    }
    if (lease.closing) continue;
    const UnixMs due = std::min(silence_at(lease), abandoned_at(lease));
    if (due > armed_for)
      lease_ends_.arm(due, *id);
    else if (silence_at(lease) <= state.now)
      start_closing(lease, lease.seconds_billed(), true, "provider_lost");
    else
      start_closing(lease, std::min(seconds_vouchered(lease), lease.seconds_billed()), true,
                    "not_closed");
  }
}

void Exchange::Core::forget() {
  // One that the chain is not done with is forgotten once it is (note_chain).
  while (const auto id = lease_evictions_.take_due(state.now))
    if (state.leases.contains(*id) && chain_is_done(*id)) forget_lease(*id);
  forget_too_many();
  while (const auto nonce = grant_evictions_.take_due(state.now)) {
    // A grant is good until its deadline's last millisecond.
    const uint64_t deadline = state.grants.find(*nonce)->second;
    if (deadline < seconds_now())
      state.grants.erase(*nonce);
    else
      grant_evictions_.arm(later(at_seconds(deadline), 1000), *nonce);
  }
  while (const auto key = policy_nonce_evictions_.take_due(state.now)) {
    const uint64_t deadline = state.policy_nonces.find(*key)->second;
    if (deadline < seconds_now())
      state.policy_nonces.erase(*key);
    else
      policy_nonce_evictions_.arm(later(at_seconds(deadline), 1000), *key);
  }
  while (const auto key = answer_evictions_.take_due(state.now)) {
    state.answers.erase(*key);
    const auto count = answers_kept_.find(key->first);
    if (--count->second == 0) answers_kept_.erase(count);
  }
}

bool Exchange::Core::chain_is_done(const LeaseId& id) const {
  return !opening.contains(id) && !settling.contains(id) && !stopping.contains(id);
}

/// Whoever opens and cancels without end leaves a record each time: the oldest make room.
void Exchange::Core::forget_too_many() {
  constexpr size_t kMostPassedOver = 64;
  std::vector<std::pair<UnixMs, LeaseId>> passed_over;
  UnixMs armed_for;
  while (leases_over_ > state.config->limits.all_asks && passed_over.size() < kMostPassedOver) {
    const auto id = lease_evictions_.take_due(UnixMs{~uint64_t{0}}, &armed_for);
    if (!id) break;
    if (!state.leases.contains(*id)) continue;
    if (chain_is_done(*id))
      forget_lease(*id);
    else
      passed_over.emplace_back(armed_for, *id);
  }
  for (const auto& [at, id] : passed_over) lease_evictions_.arm(at, id);
}

void Exchange::Core::index_lease(const Lease& lease) {
  note_chain(lease);
  leases_by_party[lease.terms.buyer].emplace(lease.number, lease.id);
  leases_by_party[lease.terms.provider].emplace(lease.number, lease.id);
  if (!lease.held_as.is_zero() && lease.held_as != lease.id)
    held_ids.emplace(lease.held_as, lease.id);
  if (lease.over()) {
    ++leases_over_;
    lease_evictions_.arm(later(lease.closed_at, kKeepLeaseMs), lease.id);
    return;
  }
  for (const Payee& payee : lease.payees) leases_by_payee[payee.to].emplace(lease.number, lease.id);
  ++live_leases[lease.terms.buyer];
  count_use(lease, true);
  if (lease.review) reviewed.emplace(lease.number, lease.id);
  if (lease.state == LeaseState::held) {
    held.emplace(lease.number, lease.id);
    holds_.arm(held_until(lease), lease.id);
  } else if (lease.closing) {
    if (!lease.billed) closing.insert(lease.id);
    if (awaits_voucher(lease)) lease_ends_.arm(last_voucher_by(lease), lease.id);
  } else if (lease.funded()) {
    lease_ends_.arm(std::min(silence_at(lease), abandoned_at(lease)), lease.id);
  } else if (!lease.accepted()) {
    acceptances_.arm(accept_by(lease), lease.id);
  }
  note_unvouchered(lease);
}

void Exchange::Core::forget_lease(const LeaseId& id) {
  const auto it = state.leases.find(id);
  for (const Address& party : {it->second.terms.buyer, it->second.terms.provider}) {
    const auto mine = leases_by_party.find(party);
    mine->second.erase(it->second.number);
    if (mine->second.empty()) leases_by_party.erase(mine);
  }
  leases_by_number.erase(it->second.number);
  if (state.ledger.mirror() != nullptr) state.ledger.mirror()->forget(id);
  held_ids.erase(it->second.held_as);
  --leases_over_;
  state.leases.erase(it);
}

}  // namespace mizan::exchange
