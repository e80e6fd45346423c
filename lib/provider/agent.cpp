#include "provider/agent.hpp"

#include "codec/json_fields.hpp"

#include <algorithm>
#include <limits>

namespace mizan::provider {
namespace {

constexpr uint64_t kBeatMs = 2'000;
constexpr uint64_t kSilenceMs =
    8'000;  ///< an unanswered heartbeat this old: the connection is dead
constexpr uint64_t kBackoffFirstMs = 250;
constexpr uint64_t kBackoffMostMs = 5'000;
constexpr uint64_t kAskAgainMs = 5'000;
constexpr uint64_t kSequenceBlock = 100'000;
constexpr size_t kPendingMax = 50'000;
constexpr size_t kStatusesMax = 4'096;

}  // namespace

Agent::Agent(AgentConfig config, AgentParts parts)
    : config_(std::move(config)),
      parts_(std::move(parts)),
      domain_(parts_.facts.domain()),
      listing_(parts_.store, domain_, parts_.key) {}

Result<void> Agent::start() {
  MIZAN_TRY(sequence, parts_.store.get("sequence"));
  // Numbers of an earlier life were below what it stored; the clock helps where that was lost.
  if (sequence)
    sequence_ =
        parse_u128(*sequence).map([](u128 n) { return static_cast<uint64_t>(n); }).value_or(0);
  sequence_ = std::max(sequence_, parts_.clock.now().ms);
  sequence_stored_ = sequence_;
  MIZAN_TRY(earned, parts_.store.get("earned"));
  if (earned) earned_.nano = parse_u128(*earned).value_or(0);
  exchange_ahead_ms_ = parts_.clock.now().ms - now_ms();
  MIZAN_CHECK(load_leases());
  connect_at_ms_ = now_ms();
  settle();
  return {};
}

void Agent::on_open() {
  connecting_ = false;
  open_ = true;
  welcomed_ = false;
  pending_.clear();
  listing_.listed = listing_.sent = false;
  // The exchange speaks first; one that does not is not waited for.
  beat_at_ms_ = now_ms() + kSilenceMs;
  settle();
}

void Agent::on_close(const Error& why) {
  const bool was_open = open_;
  connecting_ = open_ = welcomed_ = false;
  pending_.clear();
  for (auto& [id, run] : leases_) {
    run.accept_sent = run.rejected = false;
    run.log_again_at_ms = 0;
    run.close_again_at_ms = 0;
    if (!run.told) run.told_by = 0;
  }
  if (attempts_ == 0 || was_open) notify({}, "no connection to the exchange: " + why.message, true);
  if (was_open) attempts_ = 0;
  const uint64_t most = std::min(kBackoffMostMs, kBackoffFirstMs << std::min(attempts_, 10U));
  ++attempts_;
  // Half of it by chance, so that the agents of an exchange do not all come back at once.
  connect_at_ms_ = now_ms() + most / 2 + parts_.random() % (most / 2 + 1);
  settle();
}

void Agent::on_text(std::string_view text) {
  auto message = parse_incoming(text);
  if (!message) {
    notify({}, "the exchange sent something that is not understood: " + message.error().message,
           true);
  } else if (welcomed_ || std::holds_alternative<Welcome>(*message)) {
    std::visit([this](const auto& each) { handle(each); }, *message);
  } else {
    notify({}, "the exchange sent something before its welcome", true);
  }
  settle();
}

void Agent::on_backend(BackendEvent event) {
  if (std::holds_alternative<Removed>(event.what)) removing_.erase(event.lease);
  if (LeaseRun* run = find(event.lease)) {
    std::visit(
        [&](const auto& what) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(what)>, Removed>) handle(*run, what);
        },
        event.what);
  }
  settle();
}

void Agent::on_posted(uint64_t, const Result<void>& answer) {
  listing_.cancelling = false;
  if (!listing_.to_cancel().empty()) {
    // An ask that is not there (any more) is as good as cancelled.
    const bool gone = answer || (answer.error().code != ErrorCode::unavailable &&
                                 answer.error().code != ErrorCode::io_error);
    if (!gone || !listing_.cancelled(listing_.to_cancel().front()))
      listing_.cancel_again_at_ms = now_ms() + kAskAgainMs;
  }
  settle();
}

void Agent::tick() {
  settle();
}

/// Brings everything up to date: called at the end of whatever happened.
void Agent::settle() {
  wakeup_ms_ = std::numeric_limits<uint64_t>::max();
  connect_when_due();
  std::vector<LeaseId> ids;
  for (const auto& [id, run] : leases_) ids.push_back(id);
  for (const LeaseId& id : ids) {
    // A step may make the next one possible; a lease that was forgotten has none.
    for (LeaseRun* run = find(id); run != nullptr && advance(*run);) run = find(id);
  }
  list_when_due();
  beat_when_due();
  for (const auto& [id, run] : leases_) wake_for(run);
}

void Agent::connect_when_due() {
  if (open_ || connecting_) return;
  if (now_ms() >= connect_at_ms_) {
    connecting_ = true;
    parts_.link.connect();
  } else {
    wake_at(connect_at_ms_);
  }
}

void Agent::list_when_due() {
  if (!welcomed_) return;
  const uint64_t now = now_ms();
  if (!listing_.sent || now >= listing_.again_at_ms) {
    std::map<OrderId, uint32_t> taken;
    for (const auto& [id, run] : leases_)
      if (holds_units(run))
        taken[run.record.terms.ask_hash] += static_cast<uint32_t>(run.record.units());
    if (auto fresh = listing_.refresh(config_.offer, exchange_seconds(), taken); !fresh) {
      if (fresh.error().code != ErrorCode::unavailable)
        notify({}, "the ask could not be kept: " + fresh.error().message, true);
    } else {
      parts_.link.send(ask_message(ask_reply(Pending::Kind::ask, {}), listing_.ask(),
                                   listing_.attributes(), listing_.signature()));
      listing_.sent = true;
    }
    listing_.again_at_ms = now + kAskAgainMs;  // later, once there is an answer
  }
  wake_at(listing_.again_at_ms);
  if (listing_.to_cancel().empty() || listing_.cancelling) return;
  if (now < listing_.cancel_again_at_ms) return wake_at(listing_.cancel_again_at_ms);
  eip712::CancelAsk cancel;
  cancel.provider = parts_.key.address();
  cancel.ask = listing_.to_cancel().front();
  listing_.cancelling = true;
  parts_.link.post(next_id_++, "/v1/asks/cancel",
                   cancel_body(cancel, eip712::sign(domain_, cancel, parts_.key)));
}

void Agent::beat_when_due() {
  if (!open_) return;
  const uint64_t now = now_ms();
  for (const auto& [id, each] : pending_) {
    if (each.kind != Pending::Kind::heartbeat) continue;
    if (now >= each.sent_at_ms + kSilenceMs) return parts_.link.close("no answer to heartbeats");
    wake_at(each.sent_at_ms + kSilenceMs);
    break;  // the oldest comes first
  }
  if (!welcomed_) {
    if (now >= beat_at_ms_) return parts_.link.close("no welcome");
    return wake_at(beat_at_ms_);
  }
  if (!listing_.listed && leases_.empty()) return;
  if (beat_due_ || now >= beat_at_ms_) send_heartbeat();
  wake_at(beat_at_ms_);
}

void Agent::send_heartbeat() {
  if (pending_.size() > kPendingMax) return parts_.link.close("too much is unanswered");
  eip712::Heartbeat beat;
  beat.provider = parts_.key.address();
  beat.sequence = next_sequence();
  beat.sent_at_ms = parts_.clock.now().ms;
  const uint64_t id = ask_reply(Pending::Kind::heartbeat, {});
  for (auto& [lease, run] : leases_) {
    if (run.record.stage == Stage::over || beat.leases.size() == kStatusesMax) continue;
    beat.leases.push_back(status_of(run));
    if (run.terminal() && run.told_by == 0) run.told_by = id;
  }
  parts_.link.send(heartbeat_message(id, beat, eip712::sign(domain_, beat, parts_.key)));
  beat_due_ = false;
  beat_at_ms_ = now_ms() + kBeatMs;
}

void Agent::heartbeat_taken(uint64_t id, uint64_t sent_at_ms) {
  last_taken_ms_ = std::max(last_taken_ms_, sent_at_ms);
  for (auto& [lease, run] : leases_)
    if (run.terminal() && run.told_by != 0 && run.told_by <= id) run.told = true;
  if (leases_.empty()) return;
  // Losing this costs an agent that dies a little patience; it is no reason to stop.
  (void)parts_.store.put("contact", config_.boot_id + " " + std::to_string(last_taken_ms_),
                         Durability::process);
}

/// Above all numbers used before, by this life or an earlier one.
uint64_t Agent::next_sequence() {
  if (++sequence_ > sequence_stored_) {
    const uint64_t fresh = sequence_ + kSequenceBlock;
    if (parts_.store.put("sequence", std::to_string(fresh), Durability::process))
      sequence_stored_ = fresh;
  }
  return sequence_;
}

uint64_t Agent::ask_reply(Pending::Kind kind, const LeaseId& lease) {
  const uint64_t id = next_id_++;
  pending_.emplace(id, Pending{kind, lease, now_ms()});
  return id;
}

uint64_t Agent::exchange_seconds() const {
  return (exchange_ahead_ms_ + now_ms()) / 1000;
}

void Agent::notify(const LeaseId& lease, std::string text, bool warning) const {
  if (parts_.notify) parts_.notify(Notice{warning, std::move(text), lease});
}

LeaseRun* Agent::find(const LeaseId& lease) {
  const auto it = leases_.find(lease);
  return it == leases_.end() ? nullptr : &it->second;
}

/// Whether its units may not be promised. The exchange sells a lease's units again in the moment in
/// which it closes it, and the match is here before that word: those of a job that is over are
/// about to be free, and its container makes room before the next one is made (has_room_for). So
/// are those of a match that was undone while its container was being made: it is never started.
bool Agent::holds_units(const LeaseRun& run) {
  const bool hands_in_its_log = run.body == Body::exited && !run.log_delivered;
  const bool only_made = run.record.stage == Stage::over && run.body == Body::preparing;
  return (run.alive() && !only_made) || run.record.stage < Stage::done || hands_in_its_log;
}

uint32_t Agent::free_units() const {
  uint64_t used = 0;
  for (const auto& [id, run] : leases_)
    if (holds_units(run)) used += run.record.units();
  const uint64_t all = config_.offer.capacity.units;
  return static_cast<uint32_t>(all - std::min(all, used));
}

/// Whether its container can be made beside those that are here now.
bool Agent::has_room_for(const LeaseRun& run) const {
  uint64_t used = run.record.units();
  for (const auto& [id, other] : leases_)
    if (other.body != Body::absent) used += other.record.units();
  for (const auto& [id, units] : removing_) used += units;
  return used <= config_.offer.capacity.units;
}

AgentStatus Agent::status() const {
  AgentStatus status{welcomed_, earned_, {}};
  for (const auto& [id, run] : leases_) {
    const eip712::LeaseStatus now = status_of(run);
    status.leases.push_back({id, run.record.job.name, std::string(to_string(run.record.stage)),
                             run.record.units(), now.ran_ms, Money{run.record.vouchered}});
  }
  return status;
}

}  // namespace mizan::provider
