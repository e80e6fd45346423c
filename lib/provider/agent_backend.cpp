#include "provider/agent.hpp"

#include <algorithm>

namespace mizan::provider {
namespace {

constexpr uint64_t kRetryFirstMs = 250;
constexpr uint64_t kRetryMostMs = 10'000;

uint64_t backoff(unsigned retries) {
  return std::min(kRetryMostMs, kRetryFirstMs << std::min(retries, 10U));
}

}  // namespace

void Agent::retry(LeaseRun& run, const std::string& what, const Error& error) {
  if (run.retries == 0) notify(run.record.lease, what + ", tried again: " + error.message, true);
  run.retry_at_ms = now_ms() + backoff(run.retries++);
}

void Agent::handle(LeaseRun& run, const Prepared& event) {
  if (run.body != Body::preparing) return;
  if (event.result) {
    run.body = Body::prepared;
    return;
  }
  run.body = Body::absent;
  const Error& error = event.result.error();
  if (error.code == ErrorCode::unavailable) return retry(run, "the job is not ready", error);
  if (run.record.stage == Stage::accepted) {
    notify(run.record.lease, "turned down: " + error.message, true);
    parts_.link.send(reject_message(ask_reply(Pending::Kind::reject, run.record.lease),
                                    run.record.lease, error));
    // Closed, or funded where the acceptance was faster: then it is tried once more.
    run.rejected = true;
  } else if (run.record.stage == Stage::funded) {
    notify(run.record.lease, "the job could not be made ready: " + error.message, true);
    fail_lease(run, "prepare_failed");
  }
}

void Agent::handle(LeaseRun& run, const Started& event) {
  if (run.body != Body::starting) return;
  LeaseRecord& record = run.record;
  if (!event.result) {
    run.body = Body::prepared;
    notify(record.lease, "the job could not be started: " + event.result.error().message, true);
    if (record.stage == Stage::funded) fail_lease(run, "start_failed");
    return;
  }
  run.body = Body::running;
  const uint64_t now = now_ms();
  run.started_at_ms = now - std::min(now, event.ran_ms);
  record.staged_ms = run.started_at_ms - std::min(run.started_at_ms, record.funded_at_ms);
  save(run);
  beat_due_ = true;
}

void Agent::handle(LeaseRun& run, const Exited& event) {
  if (run.body == Body::exited) return;
  LeaseRecord& record = run.record;
  run.body = Body::exited;
  record.exit_code = event.status.exit_code;
  record.reason = event.status.reason;
  record.ran_ms = event.status.ran_ms;
  if (record.ran_most_ms) record.ran_ms = std::min(record.ran_ms, *record.ran_most_ms);
  run.log_again_at_ms = 0;
  notify(record.lease, "the job has ended: " + record.final_reason() + ", code " +
                           std::to_string(record.exit_code));
}

void Agent::handle(LeaseRun&, const LogGrew&) {}  // settle() sends what there is

void Agent::handle(LeaseRun& run, const Collected& event) {
  run.busy = false;
  LeaseRecord& record = run.record;
  if (record.stage != Stage::exited) return;
  if (!event.outputs) {
    if (event.outputs.error().code == ErrorCode::unavailable)
      return retry(run, "the outputs could not be collected", event.outputs.error());
    return lose_outputs(run, event.outputs.error());
  }
  record.outputs = *event.outputs;
  set_stage(run, record.outputs.is_zero() ? Stage::done : Stage::collected);
}

void Agent::handle(LeaseRun& run, const Uploaded& event) {
  run.busy = false;
  LeaseRecord& record = run.record;
  if (record.stage != Stage::collected) return;
  if (event.result) return set_stage(run, Stage::done);
  const Error& error = event.result.error();
  // Its clock or the exchange's was set while it was on its way: it is signed anew each time.
  if (error.code == ErrorCode::unavailable || error.code == ErrorCode::expired)
    return retry(run, "the outputs could not be stored at the exchange", error);
  record.outputs = {};
  if (error.code == ErrorCode::not_found) return set_stage(run, Stage::exited);
  lose_outputs(run, error);
}

/// The job's end stands, but the buyer must hear that nothing comes back.
void Agent::lose_outputs(LeaseRun& run, const Error& error) {
  notify(run.record.lease, "the outputs are lost: " + error.message, true);
  run.record.outputs = {};
  if (run.record.reason == "completed") run.record.reason = "outputs_failed";
  set_stage(run, Stage::done);
}

}  // namespace mizan::provider
