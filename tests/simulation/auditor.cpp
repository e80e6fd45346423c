#include "simulation/auditor.hpp"

#include "codec/json_fields.hpp"

namespace mizan::simulation {

using namespace exchange;

void Auditor::take_faults() {
  for (; told_faults_ < books_.faults.size(); ++told_faults_)
    world_.expect(false, "the books: " + books_.faults[told_faults_]);
}

void Auditor::take(const Sequenced& command) {
  if (PolicyBooks::is_policy(command.command)) {
    std::map<Address, uint64_t> units;
    for (const LeaseId& id : books_.live)
      if (const Lease* lease = core_.find_lease(id)) units[lease->terms.buyer] += lease->units();
    policy_.count(std::move(units));
  }
  const Outcome outcome = core_.apply(command);
  if (outcome.answer) answers_.emplace_hint(answers_.end(), command.sequence, *outcome.answer);
  if (outcome.answer && !outcome.answer->repeated) {
    if (const auto* grant = std::get_if<Grant>(&command.command))
      books_.granted(grant->grant.to, grant->grant.amount);
    if (const auto* ask = std::get_if<PlaceAsk>(&command.command))
      books_.listed(outcome.answer->order, ask->ask);
  }
  if (!outcome.answer && command.idempotency)
    refused_[{command.idempotency->account, command.idempotency->key}].insert(
        net::error_json(Error{outcome.answer.error().code, outcome.answer.error().message, {}}));
  if (!outcome.answer)
    world_.expect(outcome.answer.error().code != ErrorCode::internal,
                  "the core answered `internal`: " + outcome.answer.error().message);
  books_.follow(core_, outcome.events);
  take_times(command, outcome);
  take_policy(command, outcome);
  take_metering(command, outcome);
  take_bounds(command, outcome);
  for (const Event& event : outcome.events) {
    const LeaseId* over = nullptr;
    if (const auto* closed = std::get_if<LeaseClosed>(&event)) over = &closed->lease;
    if (const auto* undone = std::get_if<LeaseUndone>(&event)) over = &undone->lease;
    if (over == nullptr) continue;
    if (const Lease* lease = core_.find_lease(*over)) {
      ++endings_[lease->reason];
      if (on_over) on_over(*lease);
      forget(*over);
    }
  }
  take_faults();
}

/// When things happened by the world's time, which no fault touches.
void Auditor::take_times(const Sequenced& command, const Outcome& outcome) {
  const uint64_t now = world_.scheduler.now_ms();
  record_times_.emplace_back(now, command.time);
  for (const Event& event : outcome.events) {
    if (const auto* vouchered = std::get_if<Vouchered>(&event)) {
      vouchered_ms_[vouchered->lease] = now;
      if (world_.talks)
        world_.say("journal", hex(vouchered->lease.view()).substr(0, 8) + " a voucher");
    }
    if (const auto* matched = std::get_if<Matched>(&event))
      matched_ms_.emplace(matched->lease, now);
    if (const auto* closing = std::get_if<LeaseClosing>(&event)) {
      closing_ms_.emplace(closing->lease, now);
      ended_ms_.emplace(closing->lease, now);
    }
    if (const auto* closed = std::get_if<LeaseClosed>(&event))
      ended_ms_.emplace(closed->lease, now);
    if (const auto* undone = std::get_if<LeaseUndone>(&event))
      ended_ms_.emplace(undone->lease, now);
    if (const auto* stop = std::get_if<StopRequested>(&event))
      stopped_ms_.emplace(stop->lease, now);
    if (const auto* funded = std::get_if<Funded>(&event)) {
      funded_ms_.emplace(funded->lease, now);
      heard_ms_.emplace(funded->lease, now);
    }
  }
  if (!outcome.answer) return;
  // Once its bill is fixed, nothing that is heard of a lease counts.
  const auto hear = [&](const LeaseId& lease, uint64_t& heard) {
    if (!closing_ms_.contains(lease)) heard = now;
  };
  if (const auto* beat = std::get_if<Heartbeat>(&command.command))
    for (const eip712::LeaseStatus& status : beat->heartbeat.leases)
      if (const auto found = heard_ms_.find(status.lease); found != heard_ms_.end()) {
        hear(found->first, found->second);
        if (world_.talks) tell(status);
      }
  if (std::holds_alternative<Resume>(command.command))
    for (auto& [lease, heard] : heard_ms_) hear(lease, heard);
}

UnixMs Auditor::time_at(uint64_t world_ms) const {
  const auto after =
      std::upper_bound(record_times_.begin(), record_times_.end(), world_ms,
                       [](uint64_t at_ms, const auto& record) { return at_ms < record.first; });
  if (after == record_times_.begin()) return {};
  const auto& [then_ms, time] = *std::prev(after);
  return UnixMs{time.ms + (world_ms - then_ms)};
}

/// Of what policy or a listing ends, whether it had a reason to; and nobody who is on a list that
/// blocks keeps a lease that runs.
void Auditor::take_policy(const Sequenced& command, const Outcome& outcome) {
  if (outcome.answer) policy_.take(command.command, command.time, world_.scheduler.now_ms());
  for (const Event& event : outcome.events)
    if (const auto* frozen = std::get_if<AccountFrozen>(&event)) policy_.take(*frozen);
  for (const Event& event : outcome.events) {
    const LeaseId* id = nullptr;
    std::string reason;
    if (const auto* undone = std::get_if<LeaseUndone>(&event)) {
      id = &undone->lease;
      reason = undone->reason;
    } else if (const auto* changed = std::get_if<LeaseChanged>(&event)) {
      id = &changed->lease;
    }
    const Lease* lease = id == nullptr ? nullptr : core_.find_lease(*id);
    if (lease == nullptr) continue;
    if (reason.empty() && lease->stop_reason == "listed") reason = lease->stop_reason;
    if (reason != "listed" && reason != "policy_changed" && reason != "policy_blocked") continue;
    const auto [place, first] = against_.try_emplace(*id);
    if (first)
      place->second = outcome.answer
                          ? policy_.against(*lease, reason, command.command, command.time)
                          : "a command that was refused ended it";
  }
  // A list may be about whom somebody turns out to be.
  if (!outcome.answer || !(std::holds_alternative<ListParty>(command.command) ||
                           std::holds_alternative<ProveFacts>(command.command)))
    return;
  for (const LeaseId& id : books_.live) {
    const Lease* lease = core_.find_lease(id);
    if (lease == nullptr || lease->closing || lease->stopped_at.ms != 0 || !lease->accepted())
      continue;
    for (const Address& party : {lease->terms.buyer, lease->terms.provider})
      world_.expect(!policy_.is_blocked(party),
                    "lease " + hex(id.view()).substr(0, 8) + " of a party that is blocked goes on");
  }
}

/// As docs/LEASE.md, "What is billed", has it.
void Auditor::take_metering(const Sequenced& command, const Outcome& outcome) {
  for (const Event& event : outcome.events) {
    if (const auto* funded = std::get_if<Funded>(&event)) {
      const Lease& lease = *core_.find_lease(funded->lease);
      Metered& at = metered_[funded->lease];
      // A chain has opened it by a block's time, and it may have been stopped before that was seen.
      const bool on_chain = core_.chain() != nullptr;
      at.opened = on_chain ? lease.opened_at : command.time;
      if (on_chain) at.stopped = lease.stopped_at;
      at.heard = command.time;
    }
    if (const auto* stop = std::get_if<StopRequested>(&event)) {
      const auto found = metered_.find(stop->lease);
      if (found != metered_.end() && found->second.stopped.ms == 0)
        found->second.stopped = command.time;
    }
    if (const auto* vouchered = std::get_if<Vouchered>(&event)) {
      Metered& at = metered_[vouchered->lease];
      at.vouchered = vouchered->cumulative.nano;
      const Lease& lease = *core_.find_lease(vouchered->lease);
      world_.expect(
          at.vouchered <= lease.terms.rate * lease.units() * (at.covered_ms / 1'000),
          "lease " + hex(vouchered->lease.view()).substr(0, 8) + " is vouchered beyond its time");
    }
  }
  const auto* beat = std::get_if<Heartbeat>(&command.command);
  if (beat == nullptr || !outcome.answer) return;
  const uint64_t readiness_ms = uint64_t{core_.config()->readiness_s} * 1'000;
  for (const eip712::LeaseStatus& status : beat->heartbeat.leases) {
    const auto found = metered_.find(status.lease);
    const Lease* lease = core_.find_lease(status.lease);
    if (found == metered_.end() || lease->closing || closing_ms_.contains(status.lease)) continue;
    Metered& at = found->second;
    const UnixMs last = last_billed(*lease, at, command.time);
    const uint64_t since_ms = last.ms - std::min(last, at.heard).ms;
    const uint64_t counts_ms = std::min(since_ms, lease->terms.grace * 1'000);
    at.heard_ms += counts_ms;
    at.forfeited_ms += since_ms - counts_ms;
    at.heard = command.time;
    at.staged_ms = std::max(at.staged_ms, status.staged_ms);
    at.ran_ms = std::max(at.ran_ms, status.ran_ms);
    const uint64_t told_ms = std::min(at.staged_ms, readiness_ms) + at.ran_ms;
    at.covered_ms =
        std::max(at.covered_ms, std::min({told_ms, at.heard_ms, lease->terms.seconds * 1'000}));
  }
}

/// On a chain: what the contract does not pay, by its own clock, is not billed; from the moment on
/// in which the exchange can know.
void Auditor::take_bounds(const Sequenced& command, const Outcome& outcome) {
  if (core_.chain() == nullptr) return;
  const auto* seen = std::get_if<StopSeen>(&command.command);
  const bool stops = seen != nullptr && outcome.answer && !outcome.answer->repeated;
  for (auto& [id, at] : metered_) {
    const Lease* lease = core_.find_lease(id);
    const ledger::ChainLease* there = core_.chain()->find(id);
    if (lease == nullptr || there == nullptr || at.opened.ms == 0) continue;
    uint64_t to = lease->terms.start + lease->terms.seconds;
    if (there->stopped != 0) to = std::min(to, there->stopped);
    if (stops && seen->lease == id) to = std::min(to, seen->stop);
    const uint64_t from = std::max(there->opened, lease->terms.start);
    const uint64_t bound_ms = (to - std::min(to, from)) * 1'000;
    at.bound_ms = std::min(at.bound_ms, bound_ms);
    at.covered_ms = std::min(at.covered_ms, bound_ms);
    if (at.stopped.ms == 0) continue;
    const UnixMs counted = last_billed(*lease, at, at.heard);
    at.stopped = std::min(at.stopped, UnixMs{at.opened.ms + bound_ms});
    const uint64_t past_ms = counted.ms - last_billed(*lease, at, at.heard).ms;
    at.heard_ms -= std::min(at.heard_ms, past_ms);
  }
}

UnixMs Auditor::last_billed(const Lease& lease, const Metered& at, UnixMs now) {
  const UnixMs last = std::min(now, UnixMs{(lease.terms.start + lease.terms.seconds) * 1'000});
  return at.stopped.ms == 0 ? last : std::min(last, at.stopped);
}

/// What a heartbeat said of a lease, and what its bill is since.
void Auditor::tell(const eip712::LeaseStatus& status) const {
  const Lease* lease = core_.find_lease(status.lease);
  if (lease == nullptr) return;
  world_.say("journal", hex(status.lease.view()).substr(0, 8) + " phase " +
                            std::to_string(status.phase) + ", staged " +
                            std::to_string(status.staged_ms) + " ms, ran " +
                            std::to_string(status.ran_ms) + " ms; billed " +
                            std::to_string(lease->covered_ms) + " ms, forfeited " +
                            std::to_string(lease->forfeited_ms) + " ms, open for " +
                            std::to_string(lease->heard_at.ms - lease->opened_at.ms) + " ms");
}

void Auditor::forget(const LeaseId& lease) {
  for (auto* times :
       {&matched_ms_, &funded_ms_, &heard_ms_, &stopped_ms_, &closing_ms_, &vouchered_ms_})
    times->erase(lease);
  against_.erase(lease);
  metered_.erase(lease);
}

void Auditor::follow(journal::Journal& journal) {
  const journal::Head head = journal.head();
  if (head.sequence < core_.last_sequence()) {
    world_.expect(false, "acknowledged, yet not there: the journal ends at " +
                             std::to_string(head.sequence) + ", and " +
                             std::to_string(core_.last_sequence()) + " was reached");
    return;
  }
  const auto read = journal.read(
      core_.last_sequence() + 1, [&](uint64_t sequence, ByteView bytes) -> Result<void> {
        MIZAN_TRY(command, decode_sequenced(bytes));
        world_.expect(command.sequence == sequence, "a record stands in another's place");
        if (on_record) on_record(bytes);
        take(command);
        return {};
      });
  world_.expect(read.has_value(),
                "the journal cannot be read: " + (read ? "" : read.error().message));
  const auto told = groups_.find(head.sequence);
  world_.expect(told == groups_.end() || told->second.head == head.hash,
                "the journal's head is another than was answered");
  check_refusals();
}

void Auditor::acknowledged(const eip712::Acknowledgement& word, uint64_t sequence) {
  world_.expect(word.first_sequence <= sequence && sequence <= word.last_sequence,
                "an acknowledgement is for another sequence than the answer's");
  world_.expect(word.last_sequence <= core_.last_sequence(),
                "acknowledged before it was in the journal: " + std::to_string(word.last_sequence));
  const auto group = groups_.find(word.last_sequence);
  world_.expect(group != groups_.end() && group->second.first_sequence == word.first_sequence &&
                    group->second.head == word.journal_head,
                "the acknowledged group is none of the journal's");
}

void Auditor::told(const json::value& all, const eip712::Domain& domain, const Address& identity) {
  const json::object& answer = all.get_object();
  eip712::Acknowledgement word;
  Signature signature;
  uint64_t sequence = 0;
  OrderId order;
  std::string status;
  ObjectReader in(all, "answer");
  in.required("acknowledgement", word);
  in.required("acknowledgementSignature", signature);
  in.required("sequence", sequence);
  in.optional("order", order);
  in.optional("status", status);
  world_.expect(!in.failed(), "an answer does not parse");
  if (in.failed()) return;
  world_.expect(eip712::check_signer(domain, word, signature, identity).has_value(),
                "an acknowledgement that the exchange did not sign");
  acknowledged(word, sequence);
  const auto found = answers_.find(sequence);
  const std::string where = "the answer at " + std::to_string(sequence) + ": ";
  world_.expect(found != answers_.end(), where + "it was refused, and told as done");
  if (found == answers_.end()) return;
  const Answer& ours = found->second;
  world_.expect(!answer.contains("order") || order == ours.order, where + "another order");
  if (const json::value* lease = answer.if_contains("lease")) {
    world_.expect(ours.leases.size() == 1, where + "a lease, though it is of none");
    if (ours.leases.size() == 1) compare_lease(*lease, ours.leases.front(), domain);
  }
  const json::value* leases = answer.if_contains("leases");
  if (leases == nullptr) return;
  const json::array& each = leases->as_array();
  world_.expect(each.size() == ours.leases.size(), where + "another number of leases");
  for (size_t i = 0; i < std::min(each.size(), ours.leases.size()); ++i)
    compare_lease(each[i], ours.leases[i], domain);
  world_.expect(!each.empty() || (status == "resting") == ours.resting, where + "another status");
}

/// What of a lease does not change; at its end its escrow is in whole units of a chain's token.
void Auditor::compare_lease(const json::value& told, const LeaseId& id,
                            const eip712::Domain& domain) {
  LeaseId lease;
  OrderId order;
  eip712::Terms terms;
  u128 escrow = 0;
  ObjectReader in(told, "lease");
  in.required("lease", lease);
  in.required("order", order);
  in.required("terms", terms);
  in.required("escrow", escrow);
  const Lease* ours = core_.find_lease(id);
  // Where an officer has approved it since, it has another id than while it was held.
  const auto whole = [chain = core_.chain()](u128 nano) {
    return chain == nullptr ? Money{nano} : chain->money(chain->units(Money{nano}));
  };
  const bool same = !in.failed() && ours != nullptr && order == ours->order &&
                    whole(escrow) == whole(ours->escrow) &&
                    eip712::digest(domain, terms) == lease &&
                    (lease == id || (lease == ours->id && id == ours->held_as));
  world_.expect(same, "a lease was told otherwise than it is: " + hex(id.view()).substr(0, 8));
}

void Auditor::compare(const Exchange& theirs) {
  world_.expect(theirs.last_sequence() == core_.last_sequence(), "the exchange is behind");
  world_.expect(theirs.state_hash() == core_.state_hash(),
                "the state after recovery is not that of the whole journal");
  books_.compare(core_);
  take_faults();
}

void Auditor::finish(const Exchange& theirs) {
  compare(theirs);
  uint64_t ended = 0;
  for (const auto& [reason, count] : endings_) ended += count;
  world_.expect(ended + books_.live.size() == leases(),
                std::to_string(leases()) + " leases, of which " + std::to_string(ended) + " ended");
  for (const LeaseId& id : books_.live) {
    const Lease* lease = core_.find_lease(id);
    world_.expect(false, "a lease is still open, " +
                             (lease == nullptr ? "unknown" : std::string(to_string(lease->state))));
  }
  world_.expect(core_.totals().escrow.nano == 0, "money is stuck in escrow");
  const auto offers = core_.offers("", "", 1'000);
  for (const Offer& offer : offers.value())
    world_.expect(offer.free_units == uint64_t{offer.ask.nodes} * offer.ask.units_per_node,
                  "units are still taken");
  auto restored = Exchange::restore(core_.encode(), core_.known_rules());
  world_.expect(restored && restored->state_hash() == core_.state_hash(),
                "a snapshot gives another state");
}

}  // namespace mizan::simulation
