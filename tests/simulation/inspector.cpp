#include "simulation/inspector.hpp"

namespace mizan::simulation {

using exchange::Lease;
using exchange::LeaseState;

namespace {

/// What a party needs after a trouble to be heard again: the longest wait before it connects anew,
/// and a heartbeat.
constexpr uint64_t kRestMs = 15'000;
constexpr uint64_t kClearanceMs = 60'000;
constexpr uint64_t kReadinessMs = 60'000;

}  // namespace

void Inspector::expect(const Lease& lease, bool holds, const std::string& otherwise) {
  world_.expect(holds, "lease " + hex(lease.id.view()).substr(0, 8) + ": " + otherwise);
}

void Inspector::look_at(const Lease& lease, const AgentHost& agent) {
  look_at_ending(lease, agent);
  if (!lease.funded()) return;
  const auto& all = agent.machine().past();
  const auto found = all.find(lease.id);
  const Machine::Past* past = found == all.end() ? nullptr : &found->second;
  const uint64_t now = world_.scheduler.now_ms();
  const bool disturbed =
      exchange_.was_slow_since(auditor_.matched_ms(lease.id)) ||
      world_.troubles.longest(agent.place(), auditor_.matched_ms(lease.id), now, kRestMs) != 0;
  look_at_bill(lease, past, disturbed);
  if (past != nullptr && lease.state == LeaseState::settled) look_at_log(lease, *past);
}

void Inspector::look_at_ending(const Lease& lease, const AgentHost& agent) {
  const std::string& why = lease.reason;
  const Faults& faults = world_.faults;
  const uint64_t now = world_.scheduler.now_ms();
  const uint64_t matched = auditor_.matched_ms(lease.id);
  const auto kept_away = [&](uint64_t from, uint64_t least_ms) {
    const uint64_t longest = world_.troubles.longest(agent.place(), from, now, kRestMs);
    return longest != 0 && longest + kRestMs >= least_ms;
  };
  if (why == "not_accepted")
    expect(lease, kept_away(matched, 0), "was not accepted though nothing was wrong");
  if (why == "clearance_expired")
    expect(lease, kept_away(matched, kClearanceMs), "was not started though nothing was wrong");
  if (why == "provider_lost" || why == "agent_late" || why == "not_closed")
    expect(lease, kept_away(matched, lease.terms.grace * 1'000),
           "ended as " + why + " though the provider was never away for its grace of " +
               std::to_string(lease.terms.grace) + " s");
  if (why == "prepare_failed" || why == "start_failed" || why == "outputs_failed")
    expect(lease, faults.struck(Fault::job_trouble) > 0, why + " though no job was in trouble");
  if (why == "conflict" || why == "invalid_argument" || why == "not_found")
    expect(lease, faults.any(), "was turned down (" + why + ") though nothing was wrong");
  if (why == "machine_restarted" || why == "agent_lost_it" || why == "job_lost")
    expect(lease, faults.struck(Fault::machine_crash) + faults.struck(Fault::agent_disk) > 0,
           why + " though no machine was restarted");
  if (why == "staging_failed" || why == "clearance_invalid" || why == "monitor_lost")
    expect(lease, false, "ended as " + why);
}

void Inspector::look_at_bill(const Lease& lease, const Machine::Past* past, bool disturbed) {
  const uint64_t billed_ms = lease.seconds_billed() * 1'000;
  const uint64_t funded = auditor_.funded_ms(lease.id);
  if (past == nullptr || past->started_at_ms == 0) {
    expect(lease, billed_ms <= kReadinessMs + 1'000, "billed for a job that never ran");
    return;
  }
  const uint64_t end = past->exited_at_ms == 0 ? world_.scheduler.now_ms() : past->exited_at_ms;
  const uint64_t ran = end - past->started_at_ms;
  const uint64_t staged = past->started_at_ms - std::min(funded, past->started_at_ms);
  // A second for what clocks differ by.
  if (funded != 0)
    expect(lease, billed_ms <= std::min(staged, kReadinessMs) + ran + 1'000,
           "billed " + std::to_string(billed_ms) + " ms of " + std::to_string(ran) + " ms");
  if (!disturbed && lease.state == LeaseState::settled && lease.stopped_at.ms == 0 &&
      past->exited_at_ms != 0) {
    const uint64_t due = std::min(ran, lease.terms.seconds * 1'000);
    expect(lease, billed_ms + 2'500 >= due,
           "billed " + std::to_string(billed_ms) + " ms of " + std::to_string(ran) +
               " ms, though nothing was wrong");
  }
}

void Inspector::look_at_log(const Lease& lease, const Machine::Past& past) {
  if (exchange_.service() == nullptr) return;
  const auto stored = exchange_.service()->context().logs.read(lease.id, 0, 1 << 20);
  expect(lease, stored.has_value(), "its log cannot be read");
  if (!stored) return;
  const std::string whole = past.script.log();
  if (past.stopped || past.exit.reason == "machine_restarted")
    expect(lease, whole.starts_with(*stored), "its log is not the job's");
  else
    expect(lease, whole == *stored,
           "its log has " + std::to_string(stored->size()) + " of " + std::to_string(whole.size()) +
               " bytes");
}

}  // namespace mizan::simulation
