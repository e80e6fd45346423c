#include "provider/agent.hpp"

#include <algorithm>

namespace mizan::provider {

Result<void> Agent::load_leases() {
  MIZAN_TRY(boot, parts_.store.get("boot"));
  const bool same_boot = boot && *boot == config_.boot_id;
  // On a disk that is full the jobs are looked after all the same: with an older boot's name there,
  // the next start takes their times for unknown, no more.
  if (!same_boot)
    if (const auto put = parts_.store.put("boot", config_.boot_id, Durability::process); !put)
      notify({}, "this start cannot be written down: " + put.error().message, true);
  MIZAN_CHECK(load_contact());
  MIZAN_TRY(jobs, parts_.backend.recover());
  std::map<LeaseId, const FoundJob*> found;
  for (const FoundJob& job : jobs) found[job.lease] = &job;
  MIZAN_TRY(names, parts_.store.names());
  for (const std::string& name : names) {
    if (!name.starts_with("lease-")) continue;
    MIZAN_TRY(text, parts_.store.get(name));
    auto record = decode_record(text.value_or(""));
    if (!record || name != "lease-" + hex(record->lease.view())) {
      // Torn by the machine's crash, with which its job ended too: the exchange is told so.
      notify({}, name + " is damaged and left aside", true);
      MIZAN_CHECK(parts_.store.remove(name));
      continue;
    }
    const auto job = found.find(record->lease);
    LeaseRun& run = leases_[record->lease];
    run.record = *std::move(record);
    take_up(run, job == found.end() ? nullptr : job->second, same_boot);
  }
  for (const auto& [lease, job] : found) {
    if (leases_.contains(lease)) continue;
    notify(lease, "a job without a lease is removed", true);
    removing_[lease] = 0;
    parts_.backend.remove(lease);
  }
  return {};
}

Result<void> Agent::load_contact() {
  last_taken_ms_ = now_ms();
  MIZAN_TRY(contact, parts_.store.get("contact"));
  if (!contact || !contact->starts_with(config_.boot_id + " ")) return {};
  const auto at = parse_u128(contact->substr(config_.boot_id.size() + 1));
  if (at && *at < last_taken_ms_) last_taken_ms_ = static_cast<uint64_t>(*at);
  return {};
}

void Agent::take_up(LeaseRun& run, const FoundJob* found, bool same_boot) {
  LeaseRecord& record = run.record;
  const uint64_t now = now_ms();
  if (!same_boot) {  // the old clock means nothing now
    record.matched_at_ms = now;
    if (record.funded_at_ms != 0) record.funded_at_ms = now;
    record.voucher_at_ms = record.voucher_at_ms != 0 ? now : 0;
    record.stop_at_ms = now;
  }
  if (found == nullptr) {
    run.log_delivered = record.stage > Stage::funded;  // it went with the job
    return;
  }
  notify(record.lease, "taken up again: " + std::string(to_string(record.stage)));
  if (found->phase == JobPhase::prepared) {
    run.body = Body::prepared;
    return;
  }
  if (record.stage == Stage::accepted) {  // the step to `funded` could not be written
    record.stage = Stage::funded;
    record.funded_at_ms = now - std::min(now, found->ran_ms);
  }
  record.start_asked = true;
  if (found->phase == JobPhase::running) {
    run.body = Body::running;
    run.started_at_ms = now - std::min(now, found->ran_ms);
    if (record.staged_ms == 0 && same_boot)
      record.staged_ms = run.started_at_ms - std::min(run.started_at_ms, record.funded_at_ms);
    return;
  }
  // When it started is not known any more where that was not written: staging is then not billed.
  if (record.stage == Stage::funded) handle(run, Exited{found->exit});
  run.body = Body::exited;
}

}  // namespace mizan::provider
