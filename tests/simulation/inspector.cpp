#include "simulation/inspector.hpp"

namespace mizan::simulation {

using exchange::Lease;
using exchange::LeaseState;

namespace {

/// Between two heartbeats, with their way and the exchange's own step.
constexpr uint64_t kBeatMs = 2'500;
/// What clocks may differ by within a lease, and a group's time.
constexpr uint64_t kClocksMs = 100;
/// A step of the wall clock that the exchange takes for none.
constexpr uint64_t kUnseenJumpMs = 2'000;
constexpr uint64_t kAcceptMs = 10'000;
constexpr uint64_t kClearanceMs = 60'000;
constexpr uint64_t kReadinessMs = 60'000;
/// What an agent takes to stop a job that was given up, beside its grace or the time that it ran,
/// and to hand in its log; and to tell again of what went wrong with it.
constexpr uint64_t kStopFreeMs = 10'000;
constexpr uint64_t kLogAgainMs = 10'000;
constexpr uint64_t kTroubleMs = 60'000;
/// After which an agent tries again to list or to cancel an ask.
constexpr uint64_t kAskAgainMs = 5'000;
constexpr uint64_t kHeldMs = 24 * 3'600'000;
/// By how much the exchange's clock may be behind, of all that it was set back.
constexpr uint64_t kSetBackMs = 180'000;
constexpr uint64_t kAbandonedMs = 900'000;
/// From an absence on until its agent finds that it is late, at most.
constexpr uint64_t kLateMs = 30'000;
constexpr uint64_t kBlocksAheadS = 40;  ///< of the world's time, at most
/// What a machine that nothing troubles takes at most to start a job, and to hand it in.
constexpr uint64_t kStartMs = 5'000;
constexpr uint64_t kHandInMs = 5'000;

bool is_one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

struct Inspector::Case {
  const Lease& lease;
  const AgentHost& agent;
  const Machine::Past* past;  ///< null: its job never started
  uint64_t now;
  uint64_t matched;
  uint64_t funded;   ///< 0: never
  uint64_t closing;  ///< when the bill was fixed; 0: never
};

void Inspector::expect(const Case& at, bool holds, const std::string& otherwise) {
  if (!holds)
    world_.expect(false, "lease " + hex(at.lease.id.view()).substr(0, 8) + " (" + at.lease.reason +
                             "): " + otherwise);
}

uint64_t Inspector::away_ms(const Case& at, uint64_t from_ms, uint64_t until_ms) const {
  return world_.troubles.longest(at.agent.place(), from_ms, until_ms);
}

void Inspector::look_at(const Lease& lease, const AgentHost& agent) {
  const auto& all = agent.machine().past();
  const auto found = all.find(lease.id);
  const bool ran = found != all.end() && found->second.started_at_ms != 0;
  const uint64_t closing = auditor_.closing_ms(lease.id);
  const Case at{lease,
                agent,
                ran ? &found->second : nullptr,
                world_.scheduler.now_ms(),
                auditor_.matched_ms(lease.id),
                auditor_.funded_ms(lease.id),
                closing};
  look_at_ending(at);
  if (!lease.funded()) return expect(at, !ran, "its job was started, and it was never funded");
  expect(at, !ran || at.past->started_at_ms >= at.funded,
         "its job was started before it was funded");
  look_at_pace(at);
  look_at_bill(at);
  if (!ran || lease.state != LeaseState::settled) return;
  to_look_at_.push_back({lease.id, at.past->log, lease.outputs});
  catch_up();
}

/// Why it ended: each reason needs what alone may lead to it.
void Inspector::look_at_ending(const Case& at) {
  const std::string& why = at.lease.reason;
  const Wishes& wishes = world_.wishes;
  if (is_one_of(why, {"completed", "failed", "time_up"})) return look_at_own_end(at);
  if (why == "buyer_stopped")
    return expect(at, wishes.stops.contains(at.lease.id) || wishes.stops.contains(at.lease.held_as),
                  "nobody asked for it");
  if (why == "buyer_cancelled")
    return expect(at, wishes.cancels.contains({at.lease.terms.buyer, at.lease.bid.nonce}),
                  "nobody asked for it");
  if (why == "policy_rejected")
    return expect(at, !at.lease.decisions.empty() && !at.lease.decisions.back().approve,
                  "no officer decided so");
  if (why == "policy_undecided") return look_at_undecided(at);
  if (why == "offer_gone") {
    // Its agent offers anew what it has free, under another ask, while the deal is held.
    const auto offer = auditor_.core().find_ask(at.lease.terms.ask_hash);
    const bool fits =
        offer && offer->ask.until * 1000 >= kEpochMs + at.now + at.lease.terms.seconds * 1000;
    return expect(at, at.lease.held_at.ms != 0 && !fits, "it was not held, or its ask is there");
  }
  if (is_one_of(why, {"listed", "policy_blocked", "policy_changed"})) {
    const std::string against = auditor_.against_its_end(at.lease.id);
    expect(at, against.empty(), against);
    return expect(at, why == "listed" || !at.lease.funded(), "policy ended a funded lease");
  }
  // What the chain did, or a party at the contract: the chain's own books say whether it is paid.
  if (!exchange_.domain().is_credits()) {
    if (is_one_of(why, {"not_opened", "chain_turned", "closed_on_chain"})) return;
    if (!at.lease.funded() && at.lease.accepted() && look_at_refusal(at)) return;
  }
  look_at_excuse(at);
}

/// Nobody decided for a day, or for as long as the bid may start.
void Inspector::look_at_undecided(const Case& at) {
  const eip712::Bid& bid = at.lease.bid;
  const uint64_t bid_ends_ms = (std::min(bid.valid_until, bid.latest_start) + 1) * 1'000;
  const uint64_t until_ms = std::min(at.lease.held_at.ms + kHeldMs, bid_ends_ms);
  expect(at, at.lease.decisions.empty() && at.lease.held_at.ms != 0, "it was decided");
  expect(at, at.lease.closed_at.ms >= until_ms,
         "given up " + std::to_string(until_ms - at.lease.closed_at.ms) + " ms too soon");
}

/// The contract would not have opened it. False if that is not why it ended.
bool Inspector::look_at_refusal(const Case& at) {
  const std::string& why = at.lease.reason;
  const eip712::Terms& terms = at.lease.terms;
  const eip712::Bid& bid = at.lease.bid;
  if (why == "insufficient_balance") return true;
  const uint64_t until = why == "clearance_expired" ? at.lease.clearance_until
                         : why == "bid_expired"     ? std::min(bid.valid_until, bid.latest_start)
                         : why == "too_late"        ? terms.start + terms.seconds
                                                    : 0;
  if (until == 0) return false;
  expect(at, (kEpochMs + at.now) / 1000 + kBlocksAheadS >= until,
         "refused by the contract, and it could have been opened still");
  return true;
}

/// Whether the exchange had sold units that its machine still needs: of a lease that opens under an
/// ask that a listing ended (the ask after it offers the whole machine), or of one that somebody
/// closed at the contract while its job ran.
bool Inspector::resold(const Case& at) const {
  if (exchange_.domain().is_credits()) return false;
  for (const Lease* other : auditor_.core().leases_of(at.lease.terms.provider)) {
    if (!other->over() && other->terms.ask_hash != at.lease.terms.ask_hash) return true;
    constexpr uint8_t kExited = 4;
    if (other->over() && other->funded() && other->phase < kExited &&
        other->closed_at.ms + other->terms.grace * 1'000 >= at.lease.matched_at.ms)
      return true;
  }
  return false;
}

/// It should not have ended so: the faults must have kept it from another end.
void Inspector::look_at_excuse(const Case& at) {
  const std::string& why = at.lease.reason;
  const uint64_t grace = at.lease.terms.grace * 1'000;
  const uint64_t unseen = world_.faults.struck(Fault::clock_jump) > 0 ? kUnseenJumpMs : 0;
  const uint64_t slack = kBeatMs + unseen;
  const Machine& machine = at.agent.machine();
  if (why == "not_accepted") {
    expect(at, away_ms(at, at.matched, at.now) + slack >= kAcceptMs,
           "its provider could have accepted it");
  } else if (why == "clearance_expired") {
    // The minute is one of the exchange's clock, which may have been set ahead within it.
    const uint64_t lived = at.now - at.matched;
    const uint64_t told = at.lease.closed_at.ms - at.lease.matched_at.ms;
    const uint64_t set_ahead = told > lived ? told - lived : 0;
    expect(at, away_ms(at, at.matched, at.now) + slack + set_ahead >= kClearanceMs,
           "its provider could have started it");
  } else if (why == "provider_lost") {
    const uint64_t heard = auditor_.heard_ms(at.lease.id);
    expect(at, at.closing + unseen + kClocksMs >= heard + grace,
           "given up " + std::to_string(at.closing - heard) + " ms after it was heard");
    // The exchange's time may go at half speed, or wait for a clock that was set back.
    const bool steady = world_.faults.struck(Fault::clock_jump) == 0;
    const uint64_t late = steady ? 0 : grace + kSetBackMs;
    const uint64_t paused = world_.troubles.longest(Troubles::kEverywhere, heard, at.closing);
    expect(
        at, at.closing <= heard + grace + kBeatMs + paused + late,
        "given up no sooner than " + std::to_string(at.closing - heard) + " ms after it was heard");
    expect(at, away_ms(at, heard, at.closing) + slack >= grace,
           "its provider was not heard for its grace though it was never away for so long");
  } else if (why == "agent_late" && self_metered(at) && may_be_unpaid(at)) {
    // Its buyer was away: what was signed is what was paid (look_at_metering).
  } else if (is_one_of(why, {"agent_late", "not_closed"})) {
    // Not long before the job was stopped; before nobody closed it.
    const bool stopped = at.past != nullptr && at.past->stopped_at_ms != 0;
    const uint64_t end = why == "agent_late" && stopped ? at.past->stopped_at_ms : at.closing;
    const uint64_t within = why == "agent_late" ? 2 * grace + kLateMs : grace + kAbandonedMs;
    const uint64_t from = std::max(at.matched, end - std::min(end, within));
    expect(at, away_ms(at, from, end) + slack >= grace,
           "its provider was not away for its grace of " + std::to_string(grace) + " ms then");
  } else if (is_one_of(why, {"prepare_failed", "start_failed"})) {
    expect(at, machine.was_in_trouble(at.lease.id), "nothing was wrong with its job");
  } else if (why == "outputs_failed") {
    // For an account that is frozen nothing is relayed.
    const uint64_t ended = at.past == nullptr ? at.matched : at.past->exited_at_ms;
    expect(at,
           machine.was_in_trouble(at.lease.id) ||
               auditor_.policy().was_listed(at.lease.terms.provider, ended, at.now),
           "nothing was wrong with its job, nor was its provider listed");
  } else if (why == "io_error") {
    expect(at, machine.was_in_trouble(at.lease.id) || at.agent.lost_a_write_of(at.lease.id),
           "nothing was wrong with its job");
  } else if (why == "machine_restarted") {
    expect(at, at.agent.machine_died_since(at.matched), "its machine was not");
  } else if (is_one_of(why, {"agent_lost_it", "job_lost"})) {
    expect(at, at.agent.machine_died_since(at.matched) || at.agent.lost_a_write_of(at.lease.id),
           "neither did its machine stop nor was a write of it lost");
  } else if (why == "conflict") {
    look_at_conflict(at);
  } else {
    expect(at, false, "no fault leads to this");
  }
}

uint64_t Inspector::patience_ms(const Case& at) const {
  return (at.lease.terms.grace + 2 * uint64_t{exchange_.config().voucher_interval_s}) * 1'000;
}

/// Whether its job was open for as long as its agent waits for a voucher.
bool Inspector::may_be_unpaid(const Case& at) const {
  if (at.past == nullptr) return false;
  const uint64_t stop = at.past->stopped_at_ms == 0 ? at.closing : at.past->stopped_at_ms;
  return stop + kClocksMs >= at.funded + patience_ms(at);
}

/// Whether the exchange's clock was past the lease's end then, though the world's was not, and its
/// agent had waited for a voucher for as long as it does.
bool Inspector::unpaid_beyond_its_end(const Case& at, uint64_t then_ms) const {
  if (at.past == nullptr) return false;
  const eip712::Terms& terms = at.lease.terms;
  const uint64_t paid_ms = std::max(auditor_.vouchered_ms(at.lease.id), at.past->started_at_ms);
  return auditor_.time_at(then_ms).seconds() >= terms.start + terms.seconds &&
         then_ms + kClocksMs >= paid_ms + patience_ms(at);
}

/// Its agent turned it down. For want of units: the exchange had given a lease of that machine up,
/// whose agent heard of it late, or has not stopped its job or handed in its log yet. Without those
/// leases it would have fitted. For its ask: there was none yet, or a newer one.
void Inspector::look_at_conflict(const Case& at) {
  const AgentHost::TurnedDown* said = at.agent.turned_down(at.lease.id);
  if (said == nullptr) return expect(at, false, "its agent did not turn it down");
  if (said->why.find("so many units") == std::string::npos)
    return expect(at, had_no_ask(*said) || had_replaced_its_ask(at, *said),
                  said->why + ", though its ask could be written and was not just replaced");
  uint64_t sold = at.lease.units();
  uint64_t given_up = 0;
  std::string late;
  for (const provider::LeaseLine& known : said->known) {
    const uint64_t ended = auditor_.ended_ms(known.lease);
    if (ended == 0 || ended > said->at_ms)
      sold += known.units;
    else if (said->at_ms <= free_by_ms(known.lease, at.agent, ended, said->at_ms))
      given_up += known.units;
    else
      late += " " + hex(known.lease.view()).substr(0, 8);
  }
  const uint64_t all = at.agent.machine().units();
  if (resold(at)) return;
  expect(at, sold <= all,
         "the exchange sold " + std::to_string(sold) + " units of " + std::to_string(all));
  expect(at, sold + given_up > all,
         "turned down, though nothing kept its agent from freeing its units:" + late);
}

/// Its agent had connected anew, and could not write the ask down that it was to send: it tries
/// again after a while.
bool Inspector::had_no_ask(const AgentHost::TurnedDown& said) {
  return said.why.find("no ask is listed") != std::string::npos && said.unwritten_at_ms != 0 &&
         said.unwritten_at_ms + kAskAgainMs + kBeatMs >= said.at_ms;
}

/// Its agent had sent a newer ask, and the exchange matched it by the former one before it could
/// hear that this was cancelled.
bool Inspector::had_replaced_its_ask(const Case& at, const AgentHost::TurnedDown& said) const {
  if (said.ask == at.lease.terms.ask_hash) return false;
  const uint64_t away = world_.troubles.all_of(at.agent.place(), said.asked_at_ms, at.matched);
  return at.matched <= said.asked_at_ms + away + kAskAgainMs + kBeatMs;
}

/// By when the agent has the units of a lease free that the exchange has ended.
uint64_t Inspector::free_by_ms(const LeaseId& id, const AgentHost& agent, uint64_t ended_ms,
                               uint64_t until_ms) const {
  const Lease* lease = auditor_.core().find_lease(id);
  const auto past = agent.machine().past().find(id);
  uint64_t stopping = 0;
  if (lease != nullptr && past != agent.machine().past().end()) {
    const Machine::Past& job = past->second;
    const uint64_t stop = job.stopped_at_ms == 0 ? until_ms : job.stopped_at_ms;
    const uint64_t ran = stop - std::min(stop, job.started_at_ms);
    stopping = std::min(lease->terms.grace * 1'000, std::max(kStopFreeMs, ran));
  }
  if (agent.machine().was_in_trouble(id) || !exchange_.domain().is_credits())
    stopping += kTroubleMs;
  return ended_ms + world_.troubles.all_of(agent.place(), ended_ms, until_ms) + stopping +
         kLogAgainMs + kBeatMs;
}

/// The job's own end: the exchange says of it what the machine saw.
void Inspector::look_at_own_end(const Case& at) {
  const std::string& why = at.lease.reason;
  const uint64_t paid_until = at.matched + at.lease.terms.seconds * 1'000;
  if (why == "time_up") {
    const uint64_t end = at.past == nullptr            ? at.closing
                         : at.past->stopped_at_ms != 0 ? at.past->stopped_at_ms
                                                       : at.past->exited_at_ms;
    expect(at, end + kClocksMs >= paid_until || unpaid_beyond_its_end(at, end),
           "stopped " + std::to_string(paid_until - end) + " ms before its time was up");
    // A job that never started was kept from it for all that time.
    if (at.past == nullptr && exchange_.domain().is_credits())
      expect(at,
             at.agent.machine().was_in_trouble(at.lease.id) ||
                 away_ms(at, at.matched, paid_until) + kStartMs >= paid_until - at.matched,
             "its job was never started though its provider was there");
    return;
  }
  expect(at, at.past != nullptr && at.past->exited_at_ms != 0, "its job never ran to an end");
  if (at.past == nullptr) return;
  const Machine::Past& past = *at.past;
  const uint64_t ran = past.exited_at_ms - past.started_at_ms;
  expect(at, ran >= past.script.runs_ms || past.exit.reason == "completed",
         "its job was ended: " + past.exit.reason);
  expect(at, ran >= past.script.runs_ms,
         "it ran " + std::to_string(ran) + " of " + std::to_string(past.script.runs_ms) + " ms");
  expect(at,
         at.lease.exit_code == past.script.exit_code &&
             (why == "completed") == (past.script.exit_code == 0),
         "its job's exit code was another");
  if (why != "completed") return;
  const Hash32 sealed = past.has_outputs ? sha256(Machine::sealed(at.lease.id)) : Hash32{};
  expect(at, at.lease.outputs == sealed, "its outputs are not those of its job");
}

/// Where nothing is wrong, nobody is kept waiting.
void Inspector::look_at_pace(const Case& at) {
  // An agent makes room for a job once the one before it is closed, and a chain takes its time.
  if (!exchange_.domain().is_credits()) return;
  if (at.past == nullptr || at.agent.machine().was_in_trouble(at.lease.id)) return;
  const Machine::Past& past = *at.past;
  const uint64_t stop = auditor_.stopped_ms(at.lease.id);
  if (stop != 0 && past.exited_at_ms > stop + kStartMs && past.started_at_ms < stop &&
      away_ms(at, stop, stop + kStartMs) == 0)
    expect(at, past.stopped_at_ms != 0 && past.stopped_at_ms <= stop + kStartMs,
           "its job was not stopped though that was asked for");
  if (away_ms(at, at.matched, past.started_at_ms) == 0)
    expect(at, past.started_at_ms <= at.funded + kStartMs,
           "started " + std::to_string(past.started_at_ms - at.funded) + " ms after it was funded");
  if (past.exited_at_ms != 0 && at.closing > past.exited_at_ms &&
      away_ms(at, past.exited_at_ms, at.closing) == 0)
    expect(at, at.closing <= past.exited_at_ms + kHandInMs,
           "closed " + std::to_string(at.closing - past.exited_at_ms) + " ms after its end");
}

void Inspector::look_at_bill(const Case& at) {
  look_at_metering(at);
  const Lease& lease = at.lease;
  const uint64_t billed_ms = lease.seconds_billed() * 1'000;
  const std::string billed = "billed " + std::to_string(billed_ms) + " ms of ";
  if (at.past == nullptr)
    return expect(at, billed_ms <= std::min(kReadinessMs, at.now - at.funded) + kClocksMs,
                  billed + "a job that never ran");
  const Machine::Past& past = *at.past;
  const uint64_t ran = (past.exited_at_ms == 0 ? at.now : past.exited_at_ms) - past.started_at_ms;
  const uint64_t staged = past.started_at_ms - std::min(at.funded, past.started_at_ms);
  // What a liar is paid too much is bounded by its metering alone.
  expect(at, at.agent.lies() || billed_ms <= std::min(staged, kReadinessMs) + ran + kClocksMs,
         billed + std::to_string(ran) + " ms");
  const Auditor::Metered metered = auditor_.metered(lease.id);
  expect(at,
         metered.forfeited_ms == 0 || world_.faults.struck(Fault::clock_jump) > 0 ||
             away_ms(at, at.funded, at.now) + kBeatMs >= lease.terms.grace * 1'000,
         "forfeited " + std::to_string(metered.forfeited_ms) + " ms though it was never away");
  // The whole job is billed, but for what the exchange's own clock or its absence kept from it, or
  // what its buyer did not sign; or where its provider closed it at the contract, by the last
  // voucher.
  if (self_metered(at) || lease.state != LeaseState::settled || past.exited_at_ms == 0 ||
      lease.reason == "agent_late" || at.closing == 0)
    return;
  const uint64_t due = std::min({ran, metered.heard_ms, metered.bound_ms});
  expect(at, billed_ms / 1'000 >= (due - std::min(due, kClocksMs)) / 1'000,
         billed + std::to_string(due) + " ms");
}

/// Its buyer signs its vouchers, and may be away.
bool Inspector::self_metered(const Case& at) const {
  return at.lease.terms.meter != exchange_.keys().meter.address();
}

/// To the second what the heartbeats of the journal say, no more and no less, however it ended; of
/// a buyer's own meter, what that has signed.
void Inspector::look_at_metering(const Case& at) {
  const Lease& lease = at.lease;
  const Auditor::Metered metered = auditor_.metered(lease.id);
  const u128 a_second = lease.terms.rate * lease.units();
  uint64_t due = metered.covered_ms / 1'000;
  if (lease.reason == "chain_turned")
    due = 0;
  else if (lease.reason == "not_closed" || at.closing == 0 ||
           self_metered(at))  // or closed at the contract
    due = std::min(due, static_cast<uint64_t>(metered.vouchered / a_second));
  expect(at, lease.seconds_billed() == due,
         "billed " + std::to_string(lease.seconds_billed()) + " s, and its metering says " +
             std::to_string(due) + " s");
  expect(at, !exchange_.domain().is_credits() || lease.settlement.charged == a_second * due,
         "charged " + mizan::to_string(lease.settlement.charged) + " for " + std::to_string(due) +
             " s");
}

void Inspector::catch_up() {
  if (exchange_.service() == nullptr) return;
  for (const Stored& stored : std::exchange(to_look_at_, {})) look_at_stored(stored);
}

/// What the buyer can fetch is what the job wrote.
void Inspector::look_at_stored(const Stored& stored) {
  const std::string name = "lease " + hex(stored.lease.view()).substr(0, 8);
  auto& context = exchange_.service()->context();
  const auto log = context.logs.read(stored.lease, 0, 1 << 20);
  world_.expect(log.has_value(), name + ": its log cannot be read");
  if (log)
    world_.expect(*log == stored.log, name + ": its log has " + std::to_string(log->size()) +
                                          " of " + std::to_string(stored.log.size()) + " bytes");
  world_.expect(stored.outputs.is_zero() || context.artifacts->has(stored.outputs),
                name + ": its outputs are not there");
}

}  // namespace mizan::simulation
