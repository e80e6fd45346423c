#include "codec/json_fields.hpp"
#include "exchange/core.hpp"
#include "exchange/metering.hpp"

#include <algorithm>

namespace mizan::exchange {
namespace {

constexpr size_t kMostStatuses = 4096;

LeaseState state_of(uint8_t phase, LeaseState before) {
  LeaseState told = before;
  if (phase == 1) told = LeaseState::staging;
  if (phase == 2) told = LeaseState::running;
  if (phase >= 3) told = LeaseState::collecting;
  return std::max(before, told);
}

u128 price(const Lease& lease, uint64_t seconds) {
  const auto whole = cost(Rate{lease.terms.rate}, lease.units(), seconds);
  ensure(whole.has_value() && whole->nano <= lease.escrow, "the escrow covers the whole lease");
  return whole->nano;
}

}  // namespace

bool is_code(const std::string& code) {
  return code.size() <= kMostCodeBytes && std::all_of(code.begin(), code.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

Result<Lease*> Exchange::Core::find_lease(const LeaseId& id) {
  const auto renamed = held_ids.find(id);
  const auto it = state.leases.find(renamed == held_ids.end() ? id : renamed->second);
  if (it == state.leases.end())
    return fail(ErrorCode::not_found, "there is no lease " + hex0x(id.view()));
  return &it->second;
}

void Exchange::Core::note_unvouchered(const Lease& lease) {
  const bool due = lease.funded() && !lease.closing && !lease.over() && !self_metered(lease) &&
                   price(lease, lease.seconds_billed()) > lease.vouchered;
  if (due)
    unvouchered.insert(lease.id);
  else
    unvouchered.erase(lease.id);
}

Result<Answer> Exchange::Core::run(const Accept& command) {
  MIZAN_TRY(lease, find_lease(eip712::digest(*domain_, command.terms)));
  if (lease->funded() || lease->state == LeaseState::opening)
    return Answer{lease->order, {lease->id}, false, true};
  if (lease->over()) return fail(ErrorCode::conflict, "the match was undone: " + lease->reason);
  if (lease->state == LeaseState::held)
    return fail(ErrorCode::policy_held, "the deal waits for an officer's decision");
  if (seconds_now() == 0) return fail(ErrorCode::invalid_argument, "a lease cannot open at time 0");
  MIZAN_CHECK(check_clears());
  lease->terms_signature = command.signature;
  lease->accepted_at = state.now;
  state.providers[lease->terms.provider].refused.clear();
  lease->clearance_until = seconds_now() + kClearanceSeconds;
  if (state.ledger.mirror() == nullptr) {
    fund(*lease, state.now);
  } else {
    // The chain's clock judges the clearance.
    lease->clearance_until =
        std::max(seconds_now(), state.ledger.mirror()->last().time) + kClearanceSeconds;
    lease->state = LeaseState::opening;
    note_chain(*lease);
  }
  return Answer{lease->order, {lease->id}, false, false};
}

/// The lease is open from `opened` on.
void Exchange::Core::fund(Lease& lease, UnixMs opened) {
  ensure(state.ledger.open(lease.id, opened.seconds()).has_value(), "a lease opens once");
  lease.state = LeaseState::funded;
  lease.opened_at = opened;
  lease.heard_at = state.now;
  // Its provider starts nothing before this: what a chain's word was late is not to be claimed.
  const uint64_t last = std::min(state.now, last_billed(lease)).ms;
  lease.forfeited_ms = last - std::min(last, opened.ms);
  lease_ends_.arm(silence_at(lease), lease.id);
  // From here on the lease itself holds the bid.
  const auto mine = bids_by_buyer.find(lease.terms.buyer);
  mine->second.erase(lease.order);
  if (mine->second.empty()) bids_by_buyer.erase(mine);
  state.bids.erase(lease.order);
  emit(Funded{lease.id, lease.terms.buyer, lease.terms.provider});
}

Result<Answer> Exchange::Core::run(const Reject& command) {
  if (!is_code(command.code)) return bad_field("code", "has at most 64 of a-z, 0-9 and _");
  if (command.message.size() > kMostMessageBytes)
    return bad_field("message", "has at most 512 bytes");
  MIZAN_TRY(lease, find_lease(command.lease));
  if (lease->terms.provider != command.provider)
    return fail(ErrorCode::forbidden, "the lease is another provider's");
  if (lease->state != LeaseState::matched)
    return fail(ErrorCode::conflict, "only a match that awaits acceptance can be rejected");
  count_refusal(*lease);
  undo(*lease, command.code.empty() ? "rejected" : command.code, true);
  return Answer{lease->order, {lease->id}, false, false};
}

void Exchange::Core::set_alive(const Address& address, ProviderRecord& provider, bool alive) {
  if (provider.alive == alive) return;
  provider.alive = alive;
  if (alive) lapses_.arm(lapse_at(provider), address);
  stand(address, provider);
  const auto asks = asks_by_provider.find(address);
  if (asks == asks_by_provider.end()) return;
  for (const OrderId& id : asks->second) {
    book.set_alive(state.asks.find(id)->second.ref, alive);
    ++version;
    emit(AskChanged{id, address, alive ? AskChange::returned : AskChange::lapsed});
    if (alive) woken_asks_.push_back(id);
  }
}

Result<Answer> Exchange::Core::run(const Heartbeat& command) {
  const eip712::Heartbeat& beat = command.heartbeat;
  const auto it = state.providers.find(beat.provider);
  if (it == state.providers.end())
    return fail(ErrorCode::not_found, "the provider has listed no ask yet");
  ProviderRecord& provider = it->second;
  if (beat.sequence <= provider.heartbeat_sequence)
    return bad_field("heartbeat.sequence",
                     "is above the last one, " + std::to_string(provider.heartbeat_sequence),
                     ErrorCode::replayed);
  if (beat.leases.size() > kMostStatuses)
    return bad_field("heartbeat.leases", "has at most 4096 leases", ErrorCode::too_large);
  for (const eip712::LeaseStatus& status : beat.leases) {
    if (status.phase > kFailed) return bad_field("heartbeat.leases.phase", "is 0 to 5");
    if (!is_code(status.reason))
      return bad_field("heartbeat.leases.reason", "has at most 64 of a-z, 0-9 and _");
  }
  provider.heartbeat_sequence = beat.sequence;
  provider.heard_at = state.now;
  if (state.now >= provider.aside_until)
    set_alive(beat.provider, provider, true);
  else
    stand(beat.provider, provider);
  for (const eip712::LeaseStatus& status : beat.leases) {
    const auto lease = state.leases.find(status.lease);
    if (lease == state.leases.end() || lease->second.terms.provider != beat.provider ||
        !lease->second.funded() || lease->second.closing || lease->second.over())
      continue;
    if (take_status(lease->second, status)) emit(LeaseChanged{status.lease});
  }
  return Answer{};
}

/// True if anything that a reader sees has changed.
bool Exchange::Core::take_status(Lease& lease, const eip712::LeaseStatus& status) {
  const uint64_t covered_before = lease.covered_ms;
  const uint8_t phase_before = lease.phase;
  hear(lease, status, state.now, state.config->readiness_s);
  cut_bill(lease, 0);
  if (status.phase > lease.phase) {
    lease.phase = status.phase;
    lease.state = state_of(status.phase, lease.state);
    if (status.phase >= kExited) {
      lease.exit_code = status.exit_code;
      lease.outputs = status.outputs;
      if (!status.reason.empty()) lease.reason = status.reason;
    }
  }
  note_unvouchered(lease);
  return lease.covered_ms != covered_before || lease.phase != phase_before;
}

Result<Answer> Exchange::Core::run(const PostVoucher& command) {
  const eip712::Voucher& voucher = command.voucher;
  MIZAN_TRY(lease, find_lease(voucher.lease));
  const bool last = awaits_voucher(*lease);
  if (!lease->funded() || (lease->closing && !last) || lease->over())
    return fail(ErrorCode::conflict, "vouchers are for a lease that is funded and not over");
  // The last one is over a bill that is fixed: nobody works for it any more.
  if (state.chain_away && !last)
    return fail(ErrorCode::unavailable,
                "no voucher is taken while the exchange does not hear the chain, where the lease "
                "may be stopped: try later");
  const u128 a_second = lease->terms.rate * lease->units();
  if (a_second != 0 && voucher.cumulative % a_second != 0)
    return bad_field("voucher.cumulative", "is rate x units x whole seconds");
  if (voucher.cumulative > price(*lease, lease->seconds_billed()))
    return fail(ErrorCode::conflict, "voucher.cumulative is above what heartbeats cover: at most " +
                                         mizan::to_string(price(*lease, lease->seconds_billed())));
  const Answer answer{lease->order, {lease->id}, false, voucher.cumulative == lease->vouchered};
  if (answer.repeated) return answer;
  MIZAN_CHECK(state.ledger.voucher(lease->id, Money{voucher.cumulative}, seconds_now()));
  lease->vouchered = voucher.cumulative;
  lease->voucher_signature = command.signature;
  lease->vouchered_at = state.now;
  note_unvouchered(*lease);
  emit(Vouchered{lease->id, lease->terms.provider, Money{voucher.cumulative}, command.signature});
  if (last && !awaits_voucher(*lease)) settle(*lease);
  return answer;
}

void Exchange::Core::fix_bill(Lease& lease, uint64_t seconds, bool failing,
                              const std::string& reason) {
  lease.closing = true;
  lease.failing = failing;
  lease.reason = reason;
  lease.final_seconds = seconds;
  lease.final_charge = price(lease, seconds);
  release_units(lease);
  note_unvouchered(lease);
}

void Exchange::Core::start_closing(Lease& lease, uint64_t seconds, bool failing,
                                   const std::string& reason) {
  fix_bill(lease, seconds, failing, reason);
  closing.insert(lease.id);
  lease.closing_at = state.now;
  if (awaits_voucher(lease)) lease_ends_.arm(last_voucher_by(lease), lease.id);
  emit(LeaseClosing{lease.id, lease.terms.provider, Money{lease.final_charge},
                    Money{lease.vouchered}});
}

std::string reason_of_exit(const Lease& lease) {
  if (!lease.reason.empty()) return lease.reason;
  return lease.exit_code == 0 ? "completed" : "failed";
}

Result<Answer> Exchange::Core::run(const Close& command) {
  MIZAN_TRY(lease, find_lease(command.close.lease));
  if ((lease->closing || lease->over()) && lease->close == command.close)
    return Answer{lease->order, {lease->id}, false, true};
  if (waits_for_close(*lease)) return close_late(*lease, command);
  if (!lease->funded() || lease->closing || lease->over())
    return fail(ErrorCode::conflict, "the lease is not open: " + lease->reason);
  if (lease->phase < kExited)
    return fail(ErrorCode::conflict,
                "a lease is closed when its last heartbeat said phase 4 or 5 (now " +
                    std::to_string(lease->phase) + ")");
  // Of a buyer's own meter no more is certain than it has signed.
  const u128 billed = price(*lease, lease->seconds_billed());
  MIZAN_CHECK(check_pay(*lease,
                        Money{self_metered(*lease) ? std::min(billed, lease->vouchered) : billed},
                        command.close));
  lease->close = command.close;
  lease->close_signature = command.signature;
  start_closing(*lease, lease->seconds_billed(), lease->phase == kFailed, reason_of_exit(*lease));
  return Answer{lease->order, {lease->id}, false, false};
}

Result<Answer> Exchange::Core::run(const RequestClose& command) {
  if (command.request.deadline < seconds_now())
    return bad_field("request.deadline", "has passed: sign a new request", ErrorCode::expired);
  MIZAN_TRY(lease, find_lease(command.request.lease));
  if (lease->over() && !locked_on_chain(lease->id))
    return fail(ErrorCode::conflict, "the lease is over: " + lease->reason);
  const Answer answer{lease->order, {lease->id}, false, false};
  if (!lease->over() && !lease->accepted()) {
    const OrderId order = lease->order;
    undo(*lease, "buyer_stopped", false);
    end_bid(order, BidChange::cancelled);
    return answer;
  }
  keep_request(*lease, command);
  if (lease->over() || lease->closing || lease->stopped_at.ms != 0)
    return Answer{lease->order, {lease->id}, false, true};
  stop(*lease, "buyer_stopped");
  return answer;
}

/// Freezes elapsed time and has the agent told to stop; of a lease that is opening, once it is
/// open, for it may be open already.
void Exchange::Core::stop(Lease& lease, const std::string& reason) {
  lease.stopped_at = state.now;
  lease.stop_reason = reason;
  if (lease.reason.empty()) lease.reason = reason;
  if (lease.funded()) stop_open(lease);
  emit(LeaseChanged{lease.id});
}

void Exchange::Core::stop_open(Lease& lease) {
  const uint64_t stopped = lease.stopped_at.seconds();
  ensure(state.ledger.stop(lease.id, stopped).has_value(), "a funded lease has its escrow");
  lease_ends_.arm(std::min(silence_at(lease), abandoned_at(lease)), lease.id);
  emit(StopRequested{lease.id, lease.terms.provider, lease.stop_reason});
}

Result<Answer> Exchange::Core::run(const Finalize& command) {
  MIZAN_TRY(lease, find_lease(command.lease));
  if (!lease->closing || lease->billed || lease->over())
    return fail(ErrorCode::conflict, "the lease does not wait for its bill");
  if (command.cumulative != lease->final_charge)
    return fail(ErrorCode::conflict,
                "cumulative is not the bill: that is " + mizan::to_string(lease->final_charge));
  const bool lower = lease->final_charge < lease->vouchered;
  if (command.voucher || (lower && lease->final_charge == 0)) {
    if (lower)
      state.ledger.lower(lease->id, Money{lease->final_charge});
    else
      MIZAN_CHECK(state.ledger.voucher(lease->id, Money{lease->final_charge}, seconds_now()));
    lease->vouchered = lease->final_charge;
    lease->voucher_signature = command.voucher.value_or(Signature{});
    lease->vouchered_at = state.now;
  } else if (lease->final_charge != lease->vouchered && !(lower && self_metered(*lease))) {
    return fail(ErrorCode::conflict,
                "the last voucher is missing: it is over " + mizan::to_string(lease->final_charge));
  }
  settle(*lease);
  return Answer{lease->order, {lease->id}, false, false};
}

/// The bill is vouched for: it is paid, or on a chain brought to the contract.
void Exchange::Core::settle(Lease& lease) {
  if (state.ledger.mirror() != nullptr) {
    lease.billed = true;
    closing.erase(lease.id);
    note_chain(lease);
    return;
  }
  const auto settled = state.ledger.settle(lease.id, lease.payees);
  ensure(settled.has_value(), "a lease is settled once");
  lease.settlement = {settled->charged.nano, settled->fee.nano, settled->paid.nano,
                      settled->refunded.nano};
  for (const Money share : shares_of(settled->paid, lease.payees))
    lease.settlement.shares.push_back(share.nano);
  count_end(lease.terms.provider, !lease.failing);
  finish(lease);
}

/// The buyer's meter did not sign the whole bill: what it signed is the bill.
void Exchange::Core::bill_as_vouchered(Lease& lease) {
  lease.final_seconds = seconds_vouchered(lease);
  lease.final_charge = lease.vouchered;
}

void Exchange::Core::finish(Lease& lease) {
  lease.closing = false;
  lease.billed = false;
  retire(lease, lease.failing ? LeaseState::failed : LeaseState::settled);
  woken_buyers_.push_back(lease.terms.buyer);
  woken_buyers_.push_back(lease.terms.provider);  // it may bid with what it earned
  for (const Payee& payee : lease.payees) woken_buyers_.push_back(payee.to);
  emit(LeaseClosed{lease.id, lease.terms.buyer, lease.terms.provider});
}

/// The end of a lease, settled or failed, and what follows from it.
void Exchange::Core::retire(Lease& lease, LeaseState end) {
  count_use(lease, false);
  count_live(lease.terms.provider, false);
  add_worked(lease);
  held.erase(lease.number);
  reviewed.erase(lease.number);
  lease.review.reset();
  lease.state = end;
  lease.closed_at = state.now;
  lease.spec.clear();
  lease.spec.shrink_to_fit();
  unvouchered.erase(lease.id);
  closing.erase(lease.id);
  opening.erase(lease.id);
  settling.erase(lease.id);
  for (const Payee& payee : lease.payees) {
    const auto paid_by = leases_by_payee.find(payee.to);
    paid_by->second.erase(lease.number);
    if (paid_by->second.empty()) leases_by_payee.erase(paid_by);
  }
  const auto live = live_leases.find(lease.terms.buyer);
  if (--live->second == 0) live_leases.erase(live);
  ++leases_over_;
  lease_evictions_.arm(later(state.now, kKeepLeaseMs), lease.id);
}

/// A match that its provider turned down or let lapse. A buyer counts once until the provider
/// accepts a match, so that one whose jobs nobody can run harms no provider; nor do many of them
/// keep one from the market that has done its work before.
void Exchange::Core::count_refusal(const Lease& lease) {
  ProviderRecord& provider = state.providers[lease.terms.provider];
  std::vector<Address>& refused = provider.refused;
  if (std::find(refused.begin(), refused.end(), lease.terms.buyer) != refused.end()) return;
  refused.push_back(lease.terms.buyer);
  count_end(lease.terms.provider, false);
  if (refused.size() < kMostRefused) return;
  refused.clear();
  if (provider.leases_ended_well != 0) return;
  provider.aside_until = later(state.now, kAsideMs);
  set_alive(lease.terms.provider, provider, false);
}

void Exchange::Core::count_end(const Address& address, bool well) {
  ProviderRecord& provider = state.providers[address];
  const market::Milli before = reliability(provider);
  ++provider.leases_ended;
  if (well) ++provider.leases_ended_well;
  stand(address, provider);
  if (reliability(provider) == before) return;
  const auto asks = asks_by_provider.find(address);
  if (asks == asks_by_provider.end()) return;
  for (const OrderId& id : asks->second)
    book.set_reliability(state.asks.find(id)->second.ref, reliability(provider));
}

}  // namespace mizan::exchange
