#include "provider/agent.hpp"

#include <algorithm>

namespace mizan::provider {
namespace {

constexpr uint64_t kUnfundedMs = 60'000;  ///< accepted, but nothing more was heard
constexpr uint64_t kStagingMs = 600'000;  ///< patience with what cannot be fetched now
constexpr uint64_t kCloseAgainMs = 5'000;
constexpr uint64_t kUnheardChainSeconds = 300;  ///< docs/SETTLEMENT.md
constexpr uint64_t kStopFreeMs = 10'000;        ///< a job's time to stop in, however short it ran
constexpr uint64_t kLogAgainMs = 10'000;
constexpr uint64_t kLogChunk = 256 << 10;
constexpr uint64_t kOverMs = 600'000;  ///< for the log of a lease that is over, then it is dropped

}  // namespace

/// Takes the next step, if there is one now. True if another may follow at once.
bool Agent::advance(LeaseRun& run) {
  if (run.unsaved) save(run);
  switch (run.record.stage) {
    case Stage::accepted:
      return advance_accepted(run);
    case Stage::funded:
      return advance_funded(run);
    case Stage::exited:
    case Stage::collected:
      pump_log(run);
      return advance_exited(run);
    case Stage::done:
    case Stage::failed:
      deliver(run);
      return false;
    case Stage::over:
      return advance_over(run);
  }
  return false;
}

bool Agent::advance_accepted(LeaseRun& run) {
  const LeaseRecord& record = run.record;
  if (welcomed_ && !run.accept_sent) {
    run.accept_sent = true;
    run.accept_sent_at_ms = now_ms();
    parts_.link.send(accept_message(ask_reply(Pending::Kind::accept, record.lease), record.terms,
                                    eip712::sign(domain_, record.terms, parts_.key)));
  }
  // The container is made while the acceptance travels; it starts only once the lease is funded.
  if (!run.rejected) prepare(run);
  // Only the exchange knows what became of an acceptance that was sent before it, or we, went away.
  if (!run.accept_sent || run.opening || now_ms() < run.accept_sent_at_ms + kUnfundedMs)
    return false;
  notify(record.lease, "given up: accepted, but never funded", true);
  set_stage(run, Stage::over);
  return true;
}

void Agent::prepare(LeaseRun& run) {
  if (run.body != Body::absent || now_ms() < run.retry_at_ms || !has_room_for(run)) return;
  run.body = Body::preparing;
  parts_.backend.prepare(workload_of(run.record.lease, run.record.terms, run.record.job,
                                     config_.offer.capacity, config_.spare_disk_gb));
}

bool Agent::advance_funded(LeaseRun& run) {
  LeaseRecord& record = run.record;
  if (run.body == Body::absent || run.body == Body::prepared) {
    const std::string& why = record.stop_reason.empty() ? overdue(run) : record.stop_reason;
    if (!why.empty()) return fail_lease(run, why), true;
  }
  switch (run.body) {
    case Body::absent:
      if (record.start_asked) return fail_lease(run, "job_lost"), true;
      if (now_ms() > record.funded_at_ms + kStagingMs)
        return fail_lease(run, "staging_failed"), true;
      prepare(run);
      return false;
    case Body::prepared:
      if (!record.start_asked || run.unsaved) {
        // On disk first: a job that may have been started is never started a second time.
        record.start_asked = true;
        if (!save(run)) return false;
      }
      run.body = Body::starting;
      parts_.backend.start(record.lease);
      return false;
    case Body::running:
      supervise(run);
      pump_log(run);
      return false;
    case Body::exited:
      set_stage(run, Stage::exited);
      return true;
    case Body::preparing:
    case Body::starting:
      return false;
  }
  return false;
}

/// Why the lease may not go on, or "".
std::string Agent::overdue(const LeaseRun& run) const {
  const LeaseRecord& record = run.record;
  const uint64_t now = now_ms();
  const uint64_t grace_ms = record.terms.grace * 1000;
  if (now >= record.matched_at_ms + record.terms.seconds * 1000) return "time_up";
  if (now > std::max(last_taken_ms_, record.funded_at_ms) + grace_ms) return "agent_late";
  if (run.body != Body::running) return "";
  if (now >= run.started_at_ms + record.job.max_seconds * 1000) return "max_duration";
  const uint64_t paid_at = std::max(record.voucher_at_ms, run.started_at_ms);
  const uint64_t patience_ms = voucher_patience_ms(record);
  // A buyer that is its own meter could sign one second in each patience.
  const bool own_meter = record.terms.meter != parts_.facts.meter;
  const bool unpaid = now > paid_at + patience_ms || (own_meter && unpaid_ms(run) > patience_ms);
  // Whose fault that is its clock says; who has not heard it yet waits, at most for the grace.
  if (record.terms.rate == 0 || !unpaid || !exchange_heard_) return "";
  // The clock that pays may have been set past the end of the lease: then nobody was late.
  return exchange_seconds() >= record.terms.start + record.terms.seconds ? "time_up" : "agent_late";
}

/// Exposure is one voucher interval plus the grace; a second interval lets a late one arrive.
uint64_t Agent::voucher_patience_ms(const LeaseRecord& record) const {
  return (record.terms.grace + 2 * parts_.facts.voucher_interval_s) * 1000;
}

/// What its heartbeats claim by now.
uint64_t Agent::seconds_covered(const LeaseRun& run) const {
  const eip712::LeaseStatus told = status_of(run);
  const uint64_t covered = std::min(told.staged_ms, parts_.facts.readiness_s * 1000) + told.ran_ms;
  return std::min(covered / 1000, run.record.terms.seconds);
}

/// Of that, what no voucher pays.
uint64_t Agent::unpaid_ms(const LeaseRun& run) const {
  const auto a_second = cost(Rate{run.record.terms.rate}, run.record.units(), 1);
  if (!a_second || a_second->nano == 0) return 0;
  const uint64_t covered = seconds_covered(run);
  const u128 paid = run.record.vouchered / a_second->nano;
  return (covered - static_cast<uint64_t>(std::min<u128>(covered, paid))) * 1000;
}

void Agent::supervise(LeaseRun& run) {
  LeaseRecord& record = run.record;
  const uint64_t now = now_ms();
  if (record.stop_reason.empty()) {
    if (const std::string why = overdue(run); !why.empty()) begin_stop(run, why);
  }
  if (!record.stop_reason.empty()) return carry_out_stop(run);
  if (!record.job.checkpoint || record.job.checkpoint->every_seconds == 0) return;
  const uint64_t every = record.job.checkpoint->every_seconds * 1000;
  if (run.signal_again_at_ms == 0)  // on its own beat, also after the agent's restart
    run.signal_again_at_ms = run.started_at_ms + ((now - run.started_at_ms) / every + 1) * every;
  if (now < run.signal_again_at_ms) return;
  run.signal_again_at_ms += every;
  parts_.backend.signal(record.lease, record.job.checkpoint->signal, false);
}

void Agent::begin_stop(LeaseRun& run, const std::string& reason) {
  LeaseRecord& record = run.record;
  if (!record.stop_reason.empty()) return;
  const uint64_t now = now_ms();
  notify(record.lease, "stopping the job: " + reason, reason == "agent_late");
  record.stop_reason = reason;
  record.stop_at_ms = now;
  if (reason == "agent_late" && run.body == Body::running) {
    const uint64_t known = std::max(last_taken_ms_, run.started_at_ms);
    record.ran_most_ms = std::min(known, now) - run.started_at_ms;
  }
  save(run);
}

/// Nobody pays for the time of stopping: it is the grace, but no more than the job has run, or a
/// buyer would rent a second and work for ten minutes.
uint64_t Agent::kill_at_ms(const LeaseRun& run) {
  const LeaseRecord& record = run.record;
  const uint64_t ran_ms = record.stop_at_ms - std::min(record.stop_at_ms, run.started_at_ms);
  return record.stop_at_ms + std::min(record.terms.grace * 1000, std::max(kStopFreeMs, ran_ms));
}

void Agent::carry_out_stop(LeaseRun& run) {
  const LeaseRecord& record = run.record;
  if (!run.signalled) {
    run.signalled = true;
    const auto& checkpoint = record.job.checkpoint;
    const bool own = checkpoint && !checkpoint->signal.empty();
    parts_.backend.signal(record.lease, own ? checkpoint->signal : "TERM", true);
  }
  if (run.killed || now_ms() < kill_at_ms(run)) return;
  run.killed = true;
  parts_.backend.kill(record.lease);
}

bool Agent::advance_exited(LeaseRun& run) {
  LeaseRecord& record = run.record;
  if (run.busy || now_ms() < run.retry_at_ms) return false;
  if (record.stage == Stage::exited && (record.job.outputs.empty() || run.body == Body::absent)) {
    set_stage(run, Stage::done);
    return true;
  }
  run.busy = true;
  if (record.stage == Stage::exited)
    parts_.backend.collect(workload_of(record.lease, record.terms, record.job,
                                       config_.offer.capacity, config_.spare_disk_gb));
  else
    parts_.backend.upload(record.lease);
  return false;
}

/// A contract's stop may be older than the last vouchers, by the time that a chain may go unheard
/// and what an agent works without a voucher: so much, and no more, is given up on the exchange's
/// word, so that the rest is paid at once.
u128 Agent::most_unpaid(const LeaseRecord& record, uint32_t kept_bps) const {
  if (domain_.is_credits()) return 0;
  const uint64_t seconds = kUnheardChainSeconds + voucher_patience_ms(record) / 1000;
  const auto most = cost(Rate{record.terms.rate}, record.units(), seconds);
  return most ? part_of(*most, kept_bps).nano : 0;
}

/// The end is told, then the log handed in, then the lease closed. On a chain that takes a while:
/// the record stays until then, for the voucher in it is money, but the container makes room.
void Agent::deliver(LeaseRun& run) {
  if (run.close_answered) make_room(run);
  pump_log(run);
  if (run.told_by == 0) beat_due_ = true;
  if (!welcomed_ || !run.told || !run.log_delivered || now_ms() < run.close_again_at_ms) return;
  const LeaseRecord& record = run.record;
  eip712::Close close;
  close.lease = record.lease;
  // Never below what the vouchers that we hold promise; in whole nano-USD, of which a token with
  // more decimals than nine leaves a part to the provider.
  const uint32_t kept = kWholeBps - std::min<uint32_t>(kWholeBps, record.terms.fee_bps);
  close.min_paid = part_of(Money{record.vouchered}, kept).nano;
  if (run.pay_told && *run.pay_told < close.min_paid &&
      close.min_paid - *run.pay_told <= most_unpaid(record, kept))
    close.min_paid = *run.pay_told;
  run.close_again_at_ms = now_ms() + kCloseAgainMs;
  parts_.link.send(close_message(ask_reply(Pending::Kind::close, record.lease), close,
                                 eip712::sign(domain_, close, parts_.key)));
}

bool Agent::advance_over(LeaseRun& run) {
  LeaseRecord& record = run.record;
  const uint64_t now = now_ms();
  if (run.body == Body::running) {
    if (record.stop_reason.empty()) {
      record.stop_reason = "lease_over";
      record.stop_at_ms = now;
      save(run);
    }
    carry_out_stop(run);
    pump_log(run);
    return false;
  }
  if (run.alive() || run.busy) return false;
  if (run.body == Body::exited) {
    pump_log(run);
    if (run.give_up_at_ms == 0) run.give_up_at_ms = now + kOverMs;
    if (!run.log_delivered && now < run.give_up_at_ms) return false;
  }
  forget(run);
  return false;
}

void Agent::pump_log(LeaseRun& run) {
  if (!welcomed_ || run.log_delivered) return;
  const bool ended = run.body == Body::exited;
  if (run.body != Body::running && !ended) {
    run.log_delivered = run.terminal();  // it never ran: there is none
    return;
  }
  if (now_ms() < run.log_again_at_ms) return;
  auto data = parts_.backend.read_log(run.record.lease, run.log_acked, kLogChunk);
  if (!data) {
    notify(run.record.lease, "the log cannot be read: " + data.error().message, true);
    run.log_delivered = ended;
    run.log_again_at_ms = now_ms() + kLogAgainMs;
    return;
  }
  if (!ended) {  // whole records only: the last one may still be being written
    while (!data->empty() && data->back() != '\n') data->pop_back();
  }
  if (data->empty()) {
    run.log_delivered = ended;
    return;
  }
  run.log_again_at_ms = now_ms() + kLogAgainMs;
  parts_.link.send(log_message(ask_reply(Pending::Kind::log, run.record.lease), run.record.lease,
                               run.log_acked, *data));
}

void Agent::fail_lease(LeaseRun& run, const std::string& reason) {
  LeaseRecord& record = run.record;
  record.reason = reason;
  record.exit_code = -1;
  if (record.funded_at_ms != 0 && record.staged_ms == 0)
    record.staged_ms = now_ms() - std::min(now_ms(), record.funded_at_ms);
  notify(record.lease, "failed: " + reason, true);
  set_stage(run, Stage::failed);
}

void Agent::set_stage(LeaseRun& run, Stage stage) {
  if (run.record.stage == stage) return;
  run.record.stage = stage;
  run.retry_at_ms = 0;
  run.retries = 0;
  beat_due_ = true;
  save(run);
}

/// True if the record is on disk. What is not is tried again; the agent goes on with what it knows,
/// except where an action must not happen twice. What says that a job is about to be started has to
/// outlive the machine: an older record that comes back after its crash would start it again. So
/// has a stop: what had ended by then would be told as completed.
bool Agent::save(LeaseRun& run) {
  const bool was = run.unsaved;
  const bool starts = run.body == Body::prepared && run.record.start_asked;
  const bool lasts = starts || !run.record.stop_reason.empty();
  const Durability durability = lasts ? Durability::machine : Durability::process;
  auto done =
      parts_.store.put("lease-" + hex(run.record.lease.view()), encode(run.record), durability);
  run.unsaved = !done;
  if (!done && !was)
    notify(run.record.lease, "the lease's record cannot be written: " + done.error().message, true);
  return done.has_value();
}

void Agent::forget(LeaseRun& run) {
  const LeaseId lease = run.record.lease;
  (void)parts_.store.remove("lease-" + hex(lease.view()));  // or it is found over again
  removing_[lease] = static_cast<uint32_t>(run.record.units());
  leases_.erase(lease);
  parts_.backend.remove(lease);
}

/// Everything of the job is delivered.
void Agent::make_room(LeaseRun& run) {
  if (run.body != Body::prepared && run.body != Body::exited) return;
  run.body = Body::absent;
  removing_[run.record.lease] = static_cast<uint32_t>(run.record.units());
  parts_.backend.remove(run.record.lease);
}

eip712::LeaseStatus Agent::status_of(const LeaseRun& run) const {
  const LeaseRecord& record = run.record;
  eip712::LeaseStatus status;
  status.lease = record.lease;
  status.staged_ms = record.staged_ms;
  status.ran_ms = record.ran_ms;
  switch (record.stage) {
    case Stage::accepted:
      status.phase = 0;
      break;
    case Stage::funded:
      status.phase = run.body == Body::running || run.body == Body::exited ? 2 : 1;
      if (status.phase == 1) status.staged_ms = now_ms() - record.funded_at_ms;
      if (run.body == Body::running) status.ran_ms = now_ms() - run.started_at_ms;
      if (record.ran_most_ms) status.ran_ms = std::min(status.ran_ms, *record.ran_most_ms);
      break;
    case Stage::exited:
    case Stage::collected:
      status.phase = 3;
      break;
    case Stage::done:
    case Stage::failed:
    case Stage::over:
      status.phase = record.stage == Stage::failed ? 5 : 4;
      break;
  }
  if (status.phase >= 3) {
    status.exit_code = record.exit_code;
    status.reason = record.final_reason();
  }
  if (status.phase == 4) status.outputs = record.outputs;
  return status;
}

void Agent::wake_for(const LeaseRun& run) {
  const LeaseRecord& record = run.record;
  const uint64_t now = now_ms();
  // What is due but waits for something else is no reason to wake: that something will.
  const auto at = [&](uint64_t when) {
    if (when > now) wake_at(when);
  };
  if (run.unsaved) at(now + 1'000);
  at(run.retry_at_ms);
  at(run.log_again_at_ms);
  at(run.close_again_at_ms);
  at(run.give_up_at_ms);
  if (record.stage == Stage::accepted && run.accept_sent && !run.opening)
    at(run.accept_sent_at_ms + kUnfundedMs);
  if (!record.stop_reason.empty()) at(kill_at_ms(run));
  if (record.stage != Stage::funded) return;
  at(record.matched_at_ms + record.terms.seconds * 1000);
  at(std::max(last_taken_ms_, record.funded_at_ms) + record.terms.grace * 1000 + 1);
  at(record.funded_at_ms + kStagingMs + 1);
  if (run.body != Body::running) return;
  at(run.signal_again_at_ms);
  at(run.started_at_ms + record.job.max_seconds * 1000);
  at(std::max(record.voucher_at_ms, run.started_at_ms) + voucher_patience_ms(record) + 1);
}

}  // namespace mizan::provider
