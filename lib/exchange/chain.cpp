// Settlement on a chain: what the contract told, and what it makes of leases. docs/LEASE.md.
#include "codec/json_fields.hpp"
#include "exchange/core.hpp"

#include <algorithm>

namespace mizan::exchange {
namespace {

constexpr uint32_t kMostAttempts = 5;
constexpr size_t kMostFacts = 100'000;

/// Takes the contract's events into the mirror; what is more than money is put by for later.
struct Hearer {
  ledger::Mirror& mirror;
  const IdMap<LeaseId, Lease>& leases;
  std::optional<StrayLease> stray{};
  std::vector<chain::BidsCancelled> cancelled{};

  Result<void> operator()(const chain::Deposited& e) { return mirror.deposit(e.owner, e.amount); }
  Result<void> operator()(const chain::Withdrawn& e) { return mirror.withdraw(e.owner, e.amount); }
  Result<void> operator()(const chain::RelayPaid& e) {
    return mirror.move(e.owner, e.relayer, e.amount);
  }
  Result<void> operator()(const chain::Opened& e) {
    const auto lease = leases.find(e.lease);
    const bool known = lease != leases.end();
    if (!stray && !(known && lease->second.accepted()))
      stray = {e.lease, mirror.sums().clearance_key};
    std::optional<ledger::Parties> parties;
    if (known)
      parties = {lease->second.terms.buyer, lease->second.terms.provider, lease->second.payees};
    return mirror.open(e.lease, parties, e.escrow, e.time);
  }
  Result<void> operator()(const chain::Claimed& e) {
    return mirror.claim(e.lease, e.amount, e.fee);
  }
  Result<void> operator()(const chain::CloseRequested& e) {
    return mirror.stop(e.lease, e.stop, e.refunded);
  }
  Result<void> operator()(const chain::Closed& e) {
    return mirror.close(e.lease, e.amount, e.fee, e.refunded);
  }
  Result<void> operator()(const chain::BidsCancelled& e) {
    cancelled.push_back(e);
    return {};
  }
  Result<void> operator()(const chain::Paused& e) {
    mirror.set_paused(e.paused);
    return {};
  }
  Result<void> operator()(const chain::ClearanceKeyIs& e) {
    mirror.set_clearance_key(e.key);
    return {};
  }
};

}  // namespace

Result<void> Exchange::Core::check_opens() const {
  if (state.gas_low)
    return fail(ErrorCode::unavailable,
                "no lease opens: the exchange's gas account is too low to open leases; try later");
  if (state.chain_away)
    return fail(ErrorCode::unavailable,
                "no lease opens: the exchange has not heard the chain for minutes");
  return check_clears();
}

std::optional<LeaseId> Exchange::Core::alarm() const {
  const ledger::Mirror* mirror = state.ledger.mirror();
  // Where another key is in force, that one can open nothing more.
  if (!state.stray || mirror->sums().clearance_key != state.stray->key) return {};
  return state.stray->lease;
}

Result<void> Exchange::Core::check_clears() const {
  const ledger::Mirror* mirror = state.ledger.mirror();
  if (mirror == nullptr) return {};
  if (const auto stray = alarm())
    return fail(ErrorCode::unavailable,
                "no lease opens: " + hex0x(stray->view()) +
                    " opened on the contract and was never cleared here, so that the clearance key "
                    "is stolen, or the exchange was restored from an older backup: the guardian "
                    "has to revoke the key, and another to take its place");
  if (mirror->sums().paused)
    return fail(ErrorCode::unavailable, "no lease opens: the contract is paused");
  if (mirror->sums().clearance_key != state.clearance)
    return fail(ErrorCode::unavailable,
                "no lease opens: the contract's clearance key is another one than the exchange's");
  return {};
}

bool Exchange::Core::is_below_least(Rate rate, uint64_t units, uint64_t seconds) const {
  if (!state.config->chain || state.config->chain->least_escrow == 0) return false;
  const auto escrow = cost(rate, units, seconds);  // more than there are numbers is enough
  return escrow && escrow->nano < state.config->chain->least_escrow;
}

market::Reason Exchange::Core::least_reason(uint64_t removed) const {
  return {"least_escrow", removed, removed,
          "the exchange makes no lease with an escrow below " +
              format_usd(Money{state.config->chain->least_escrow}) +
              ": bid for more units or seconds"};
}

/// After what may have ended the reason for which nothing was opened: bids need not wait then.
void Exchange::Core::wake_bids_if_opens(bool opened_before) {
  if (!opened_before && check_opens()) woken_bids_ = true;
}

/// What the contract knows of the lease; nothing if it has not opened, or on credits.
const ledger::ChainLease* Exchange::Core::on_chain(const LeaseId& id) const {
  const ledger::Mirror* mirror = state.ledger.mirror();
  return mirror == nullptr ? nullptr : mirror->find(id);
}

bool Exchange::Core::locked_on_chain(const LeaseId& id) const {
  const ledger::ChainLease* there = on_chain(id);
  return there != nullptr && !there->closed;
}

bool Exchange::Core::wants_stop(const Lease& lease) const {
  const ledger::ChainLease* there = on_chain(lease.id);
  return lease.request && there != nullptr && !there->closed && there->stopped == 0;
}

/// What the chain's commands are refused without.
Result<ledger::Mirror*> Exchange::Core::on_a_chain() {
  if (ledger::Mirror* mirror = state.ledger.mirror()) return mirror;
  return fail(ErrorCode::unsupported_key,
              "the exchange settles in credits: it takes no word of a chain");
}

Result<Answer> Exchange::Core::run(const ChainSeen& command) {
  MIZAN_TRY(mirror, on_a_chain());
  if (command.facts.size() > kMostFacts)
    return bad_field("facts", "are at most 100000", ErrorCode::too_large);
  const bool opened = check_opens().has_value();
  Hearer hearer{*mirror, state.leases};
  MIZAN_CHECK(mirror->begin(command.to));
  for (const ChainFact& fact : command.facts)
    if (const auto heard = std::visit(hearer, fact); !heard) {
      mirror->abandon();
      return fail(heard.error());
    }
  const ledger::Mirror::Touched touched = mirror->end();
  if (hearer.stray && !(state.stray && state.stray->key == hearer.stray->key)) {
    state.stray = hearer.stray;
    emit(ChainAlarm{hearer.stray->lease});
  }
  for (const chain::BidsCancelled& one : hearer.cancelled) {
    if (!state.ledger.knows(one.owner)) continue;
    const ledger::NonceBits& nonces = state.ledger.account(one.owner).nonces;
    // Whoever cancels more words than there is room for finds out at the contract.
    if (nonces.has_word(one.word) || nonces.words() < state.config->limits.nonce_words)
      cancel_nonces(one.owner, one.word, one.mask);
  }
  follow(touched);
  expire_openings();
  wake_bids_if_opens(opened);
  return Answer{};
}

Result<Answer> Exchange::Core::run(const ChainTakenBack& command) {
  MIZAN_TRY(mirror, on_a_chain());
  const bool opened = check_opens().has_value();
  MIZAN_TRY(touched, mirror->take_back(command.back_to));
  follow(touched);
  wake_bids_if_opens(opened);
  return Answer{};
}

Result<Answer> Exchange::Core::run(const StopSeen& command) {
  MIZAN_CHECK(on_a_chain());
  MIZAN_TRY(lease, find_lease(command.lease));
  if (!lease->accepted()) return fail(ErrorCode::conflict, "the lease was never cleared");
  const bool stops = lease->stoppable();
  if (stops) {
    stop(*lease, "buyer_stopped");
    cut_bill(*lease, command.stop);
  }
  return Answer{lease->order, {lease->id}, false, !stops};
}

Result<Answer> Exchange::Core::run(const NotOpened& command) {
  if (!is_code(command.reason)) return bad_field("reason", "has at most 64 of a-z, 0-9 and _");
  MIZAN_TRY(lease, find_lease(command.lease));
  const Answer answer{lease->order, {lease->id}, false, false};
  // One that was open once may open again: its next attempt comes when this one's time is over.
  if (lease->funded() && opening.contains(lease->id)) return answer;
  if (lease->state != LeaseState::opening)
    return fail(ErrorCode::conflict, "the lease does not wait for its opening");
  end_unopened(*lease, command.reason.empty() ? "not_opened" : command.reason);
  return answer;
}

Result<Answer> Exchange::Core::run(const ChainGas& command) {
  MIZAN_CHECK(on_a_chain());
  const bool opened = check_opens().has_value();
  state.gas_low = command.low;
  wake_bids_if_opens(opened);
  return Answer{};
}

Result<Answer> Exchange::Core::run(const ChainAway& command) {
  MIZAN_CHECK(on_a_chain());
  const bool opened = check_opens().has_value();
  state.chain_away = command.away;
  wake_bids_if_opens(opened);
  return Answer{};
}

Result<Answer> Exchange::Core::run(const UseClearanceKey& command) {
  MIZAN_CHECK(on_a_chain());
  if (command.key.is_zero() || command.key == state.config->meter)
    return bad_field("key", "is neither zero nor the meter's");
  const bool opened = check_opens().has_value();
  state.clearance = command.key;
  wake_bids_if_opens(opened);
  return Answer{};
}

/// What the chain has moved, in the leases; and whose money came may pay for what waits.
void Exchange::Core::follow(const ledger::Mirror::Touched& touched) {
  for (const LeaseId& id : touched.leases) {
    const auto lease = state.leases.find(id);
    if (lease == state.leases.end()) continue;
    // One that was never cleared is none of ours; but its buyer may stop it.
    lease->second.accepted() ? reconcile(lease->second) : note_chain(lease->second);
  }
  woken_buyers_.insert(woken_buyers_.end(), touched.accounts.begin(), touched.accounts.end());
}

/// Holds a lease against what the contract says of it now.
void Exchange::Core::reconcile(Lease& lease) {
  const ledger::ChainLease* there = on_chain(lease.id);
  if (!lease.over() && lease.state != LeaseState::opening)
    state.ledger.set_locked(lease.id, there != nullptr);
  if (there == nullptr) {
    // Its opening was taken back. The clearance that it had may do once more.
    if (wants_opening(lease) && lease.clearance_until < seconds_now()) clear_again(lease);
  } else if (lease.over()) {
    cut_bill(lease, 0);
    if (there->closed) {
      take_amounts(lease, *there);
      emit(LeaseChanged{lease.id});
    }
  } else {
    if (lease.state == LeaseState::opening) open_by_chain(lease, *there);
    if (there->stopped != 0 && lease.stoppable()) stop(lease, "buyer_stopped");
    cut_bill(lease, 0);
    if (there->closed) close_by_chain(lease, *there);
  }
  note_chain(lease);
}

/// Whether the lease is to be open on the chain and is not: accepted, or to be paid for.
bool Exchange::Core::wants_opening(const Lease& lease) const {
  if (!lease.accepted() || on_chain(lease.id) != nullptr) return false;
  return !lease.over() || (lease.funded() && lease.settlement.charged != 0);
}

/// Whether it is open there and is to be closed.
bool Exchange::Core::wants_closing(const Lease& lease) const {
  return lease.accepted() && (lease.billed || lease.over()) && locked_on_chain(lease.id);
}

/// What is wanted of the chain for it; told when it begins to be wanted.
void Exchange::Core::note_chain(const Lease& lease) {
  if (state.ledger.mirror() == nullptr) return;
  const auto note = [&](std::set<LeaseId>& among, bool wanted, Event begun) {
    if (!wanted)
      among.erase(lease.id);
    else if (among.insert(lease.id).second)
      emit(std::move(begun));
  };
  note(opening, wants_opening(lease),
       OpenWanted{lease.id, lease.terms.buyer, lease.terms.provider});
  note(stopping, wants_stop(lease), StopWanted{lease.id});
  note(settling, wants_closing(lease), CloseWanted{lease.id});
  if (lease.over() && later(lease.closed_at, kKeepLeaseMs) <= state.now && chain_is_done(lease.id))
    lease_evictions_.arm(state.now, lease.id);
}

void Exchange::Core::open_by_chain(Lease& lease, const ledger::ChainLease& there) {
  // By the block's time; but a chain's clock is not the exchange's.
  fund(lease, std::min(std::max(at_seconds(there.opened), lease.accepted_at), state.now));
  state.ledger.set_locked(lease.id, true);
  if (lease.stopped_at.ms != 0) stop_open(lease);
}

/// Over by the contract's word: by a Close that was wanted, or that somebody else brought.
void Exchange::Core::close_by_chain(Lease& lease, const ledger::ChainLease& there) {
  if (!lease.closing) {
    const bool exited = lease.phase >= kExited;
    fix_bill(lease, std::min(seconds_vouchered(lease), lease.seconds_billed()),
             lease.phase != kExited,
             exited || !lease.reason.empty() ? reason_of_exit(lease) : "closed_on_chain");
  } else if (awaits_voucher(lease)) {
    bill_as_vouchered(lease);
  }
  take_amounts(lease, there);
  state.ledger.drop(lease.id);
  count_end(lease.terms.provider, !lease.failing);
  finish(lease);
}

void Exchange::Core::take_amounts(Lease& lease, const ledger::ChainLease& there) {
  const ledger::Mirror& mirror = *state.ledger.mirror();
  const Money charged = mirror.money(there.paid);
  const Money fee = mirror.money(there.fee);
  const Money refunded = mirror.money(there.refunded);
  lease.settlement = {charged.nano, fee.nano, (charged - fee).nano, refunded.nano};
  for (const Money units : shares_of(Money{there.paid - there.fee}, lease.payees))
    lease.settlement.shares.push_back(mirror.money(units.nano).nano);
  lease.escrow = (charged + refunded).nano;  // in whole units of the token
}

bool Exchange::Core::may_open_again(const Lease& lease) const {
  const uint64_t then = state.ledger.mirror()->last().time;
  return check_clears() && lease.attempt < kMostAttempts && then <= lease.bid.valid_until &&
         then <= lease.bid.latest_start && then < lease.terms.start + lease.terms.seconds &&
         !is_frozen(lease.terms.buyer) && !is_frozen(lease.terms.provider) &&
         std::none_of(lease.payees.begin(), lease.payees.end(),
                      [this](const Payee& payee) { return is_frozen(payee.to); });
}

/// Of a lease that was open: a fresh clearance for another attempt; or the end of it.
void Exchange::Core::clear_again(Lease& lease) {
  if (!may_open_again(lease)) return give_up(lease);
  ++lease.attempt;
  lease.clearance_until =
      std::max(seconds_now(), state.ledger.mirror()->last().time) + kClearanceSeconds;
}

/// It was open and is not any more, for good: there is nothing to pay it from.
void Exchange::Core::give_up(Lease& lease) {
  lease.settlement = {0, 0, 0, lease.escrow};
  emit(LeaseChanged{lease.id});
  if (lease.over()) return;
  if (!lease.closing) fix_bill(lease, 0, true, "chain_turned");
  lease.failing = true;
  lease.reason = "chain_turned";
  lease.final_seconds = 0;
  lease.final_charge = 0;
  state.ledger.drop(lease.id);
  finish(lease);
}

/// It never was open, and can't be any more.
void Exchange::Core::end_unopened(Lease& lease, const std::string& reason) {
  const OrderId order = lease.order;
  if (lease.stopped_at.ms == 0) return undo(lease, reason, true);
  undo(lease, lease.stop_reason, false);
  end_bid(order, BidChange::cancelled);
}

/// Clearances whose time has passed at the chain: what did not open by them does not.
void Exchange::Core::expire_openings() {
  const uint64_t then = state.ledger.mirror()->last().time;
  const std::vector<LeaseId> waiting(opening.begin(), opening.end());
  for (const LeaseId& id : waiting) {
    Lease& lease = state.leases.find(id)->second;
    if (then <= lease.clearance_until) continue;
    if (lease.state == LeaseState::opening) {
      end_unopened(lease, "not_opened");
      continue;
    }
    opening.erase(id);
    clear_again(lease);
    note_chain(lease);
  }
}

const ledger::Mirror* Exchange::chain() const {
  return core_->state.ledger.mirror();
}
std::optional<LeaseId> Exchange::chain_alarm() const {
  return core_->alarm();
}
const Address& Exchange::clearance() const {
  return core_->state.clearance;
}
bool Exchange::gas_is_low() const {
  return core_->state.gas_low;
}
bool Exchange::chain_away() const {
  return core_->state.chain_away;
}
Result<void> Exchange::opens() const {
  return core_->check_opens();
}
std::vector<const Lease*> Exchange::opening() const {
  std::vector<const Lease*> out;
  for (const LeaseId& id : core_->opening) out.push_back(find_lease(id));
  return out;
}
std::vector<const Lease*> Exchange::settling() const {
  std::vector<const Lease*> out;
  for (const LeaseId& id : core_->settling) out.push_back(find_lease(id));
  return out;
}
std::vector<const Lease*> Exchange::stopping() const {
  std::vector<const Lease*> out;
  for (const LeaseId& id : core_->stopping) out.push_back(find_lease(id));
  return out;
}

}  // namespace mizan::exchange
