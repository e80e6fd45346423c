#include "exchange/core.hpp"

#include <algorithm>
#include <array>

namespace mizan::exchange {

UnixMs Exchange::Core::accept_by(const Lease& lease) const {
  return later(std::max(lease.matched_at, state.resumed_at), kAcceptMs);
}

Result<std::optional<LeaseId>> Exchange::Core::match(const OrderId& id, const BidRecord& record,
                                                     const Spec& spec) {
  std::optional<Choice> choice;      // a held one only as long as none passes
  std::array<uint32_t, 2> judged{};  // of strangers, whose keys are free, and of the others
  uint32_t passed = 0;
  book.scan(demand(record, spec), seconds_now(),
            [&](market::AskRef, const market::Fill& candidate) {
              if (is_too_small(record, candidate) || is_too_strange(record, candidate))
                return false;
              uint32_t& mine = judged[has_record(candidate) ? 1 : 0];
              if (mine >= kMostJudged) return ++passed >= kMostPassed;
              const auto found = consider(id, record, candidate, !record.immediate_or_cancel);
              if (found && (!choice || !found->held)) choice = found;
              ++mine;
              return choice && !choice->held;
            });
  if (!choice) return std::nullopt;
  MIZAN_TRY(lease, make_lease(id, record, *choice));
  return lease;
}

Result<LeaseId> Exchange::Core::make_lease(const OrderId& id, const BidRecord& record,
                                           const Choice& choice) {
  MIZAN_CHECK(check_opens());
  const market::Fill& fill = choice.fill;
  AskRecord& ask = state.asks.find(fill.ask)->second;
  const eip712::Bid& bid = record.bid;
  Lease lease;
  lease.order = id;
  lease.terms.buyer = bid.buyer;
  lease.terms.provider = ask.ask.provider;
  lease.terms.meter = bid.meter;
  lease.terms.rate = fill.rate.nano;
  lease.terms.units_per_node = bid.units_per_node;
  lease.terms.seconds = fill.seconds;
  lease.terms.start = seconds_now();
  lease.terms.grace = bid.grace;
  lease.terms.fee_bps = state.config->fee_bps;
  lease.terms.bid_nonce = bid.nonce;
  lease.terms.first_node = 0;
  lease.terms.node_count = bid.nodes;
  lease.terms.payees_hash = ask.ask.payees_hash;
  lease.terms.ask_hash = fill.ask;
  lease.id = eip712::digest(*domain_, lease.terms);
  MIZAN_TRY(escrow,
            state.ledger.lock(lease.id, {bid.buyer, ask.ask.provider, fill.rate, lease.units(),
                                         fill.seconds, lease.terms.start, lease.terms.fee_bps}));
  const CaseFile file = case_of(
      {ask, bid.buyer, record.declaration, record.declaration_hash, lease.units(), fill.seconds});
  const Judgement judgement = judge_deal(
      {ask, bid.buyer, record.declaration, record.declaration_hash, lease.units(), fill.seconds});
  ensure(judgement.disposition != policy::Disposition::block, "no lease that policy blocks");
  set_verdict(lease, file, judgement);
  lease.counted = subjects_of(bid.buyer);
  lease.number = ++state.lease_count;
  lease.bid = bid;
  lease.bid_signature = record.signature;
  lease.spec = record.spec;
  lease.chip = ask.ask.chip;
  lease.payees = payees_of(ask.facts);
  lease.nodes = fill.nodes;
  lease.escrow = escrow.nano;
  if (choice.held) {
    lease.state = LeaseState::held;
    lease.held_at = state.now;
    lease.held_as = lease.id;
  } else {
    lease.matched_at = state.now;
  }
  book.take(ask.ref, fill.nodes, bid.units_per_node);
  count_on_ask(ask, true);
  count_live(ask.ask.provider, true);
  ++version;
  const LeaseId lease_id = lease.id;
  const auto [it, added] = state.leases.emplace(lease_id, std::move(lease));
  ensure(added, "a lease's id is used once");
  leases_by_number.emplace(it->second.number, lease_id);
  index_lease(it->second);
  if (choice.held) {
    emit(BidChanged{id, bid.buyer, BidChange::held});
    emit(Held{lease_id, id, bid.buyer, ask.ask.provider, held_until(it->second),
              it->second.verdict.note});
  } else {
    emit(BidChanged{id, bid.buyer, BidChange::matched});
    emit(Matched{lease_id, id, bid.buyer, ask.ask.provider, accept_by(it->second)});
  }
  return lease_id;
}

void Exchange::Core::release_units(const Lease& lease) {
  const auto ask = state.asks.find(lease.terms.ask_hash);
  if (ask == state.asks.end()) return;
  book.give_back(ask->second.ref, lease.nodes, lease.terms.units_per_node);
  count_on_ask(ask->second, false);
  ++version;
  woken_asks_.push_back(lease.terms.ask_hash);
}

void Exchange::Core::undo(Lease& lease, const std::string& reason, bool again) {
  ensure(state.ledger.unlock(lease.id).has_value(), "a matched lease has its escrow");
  release_units(lease);
  woken_buyers_.push_back(lease.terms.buyer);
  lease.reason = reason;
  retire(lease, LeaseState::failed);
  emit(LeaseUndone{lease.id, lease.order, lease.terms.buyer, lease.terms.provider, reason});
  BidRecord& record = state.bids.find(lease.order)->second;
  record.lease.reset();
  record.excluded.push_back(lease.terms.provider);
  if (again) match_again(lease.order);
}

void Exchange::Core::match_again(const OrderId& id) {
  BidRecord& record = state.bids.find(id)->second;
  if (state.now >= bid_deadline(record.bid)) return end_bid(id, BidChange::expired);
  if (record.excluded.size() > kMostExcluded) return end_bid(id, BidChange::no_match);
  const auto spec = read_spec(record.spec, state.config->limits.spec_bytes);
  ensure(spec.has_value(), "a spec that was read once is read again");
  const auto lease = match(id, record, *spec);
  tell_refusals(false);
  if (lease && *lease) {
    record.lease = **lease;
    return;
  }
  if (record.immediate_or_cancel) return end_bid(id, BidChange::no_match);
  record.starved = !lease.has_value();
  queue.add(id, demand(record, *spec));
  bid_ends_.arm(bid_deadline(record.bid), id);
  emit(BidChanged{id, record.bid.buyer, BidChange::resting});
}

void Exchange::Core::take_from_queue(const OrderId& id, BidRecord& record, const LeaseId& lease) {
  record.lease = lease;
  queue.remove(id);
  bid_ends_.disarm(bid_deadline(record.bid), id);
}

void Exchange::Core::offer_to_queue(const OrderId& ask_id) {
  const auto ask = state.asks.find(ask_id);
  if (ask == state.asks.end()) return;
  const Rate rate{ask->second.ask.rate};
  std::optional<market::BidQueue::Place> after;
  while (book.free_units(ask->second.ref) > 0) {
    std::optional<Choice> choice;
    OrderId bid;
    after = queue.scan(
        ask->second.ask.chip, rate, after, [&](const OrderId& id, const market::Demand& demand) {
          const auto found = book.fit(ask->second.ref, demand, seconds_now());
          const BidRecord& record = state.bids.find(id)->second;
          if (!found || is_too_small(record, *found) || is_too_strange(record, *found))
            return false;
          choice = consider(id, record, *found, true);
          if (choice) bid = id;
          return choice.has_value();
        });
    if (!choice) break;
    BidRecord& record = state.bids.find(bid)->second;
    const auto lease = make_lease(bid, record, *choice);
    record.starved = !lease.has_value();
    if (lease) take_from_queue(bid, record, *lease);
  }
  tell_refusals(false);
}

/// Tries a resting bid again.
void Exchange::Core::retry(const OrderId& id) {
  BidRecord& record = state.bids.find(id)->second;
  const auto spec = read_spec(record.spec, state.config->limits.spec_bytes);
  ensure(spec.has_value(), "a spec that was read once is read again");
  const auto lease = match(id, record, *spec);
  tell_refusals(false);
  record.starved = !lease.has_value();
  if (lease && *lease) take_from_queue(id, record, **lease);
}

void Exchange::Core::retry_of(const Address& buyer, bool starved_alone) {
  const auto mine = bids_by_buyer.find(buyer);
  if (mine == bids_by_buyer.end()) return;
  std::vector<std::pair<uint64_t, OrderId>> resting;  // earliest first
  for (const OrderId& id : mine->second) {
    const BidRecord& record = state.bids.find(id)->second;
    if ((record.starved || !starved_alone) && !record.lease)
      resting.emplace_back(record.sequence, id);
  }
  std::sort(resting.begin(), resting.end());
  for (const auto& [sequence, id] : resting) retry(id);
}

/// What policy kept apart it may let together now: every resting bid, earliest first.
void Exchange::Core::retry_woken() {
  if (!std::exchange(woken_bids_, false)) return;
  std::vector<std::pair<uint64_t, OrderId>> resting;
  for (const auto& [id, record] : state.bids)
    if (!record.lease) resting.emplace_back(record.sequence, id);
  std::sort(resting.begin(), resting.end());
  for (const auto& [sequence, id] : resting) retry(id);
}

void Exchange::Core::settle_matches() {
  const auto take_all = [](auto& woken) {
    auto taken = std::exchange(woken, {});
    std::sort(taken.begin(), taken.end());
    taken.erase(std::unique(taken.begin(), taken.end()), taken.end());
    return taken;
  };
  // Matching frees nothing, so one round of each is enough.
  for (const OrderId& ask : take_all(woken_asks_)) offer_to_queue(ask);
  for (const Address& buyer : take_all(woken_buyers_)) retry_of(buyer, true);
  for (const Address& buyer : take_all(woken_provers_)) retry_of(buyer, false);
  retry_woken();
}

}  // namespace mizan::exchange
