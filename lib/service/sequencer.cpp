#include "service/sequencer.hpp"

#include "base/ensure.hpp"

namespace mizan::service {

using exchange::Command;
using exchange::Exchange;
using exchange::Sequenced;

Sequencer::Sequencer(journal::Journal& journal, SharedExchange& state, TimeKeeper& time,
                     const Clock& clock, const Log& log, SequencerOptions options)
    : journal_(journal),
      state_(state),
      time_(time),
      clock_(clock),
      log_(log),
      options_(options),
      alive_(clock.monotonic()),
      snapshot_at_(state.unlocked().last_sequence()) {}

void Sequencer::set_signer(const eip712::Domain& domain, const SecretKey& identity) {
  domain_ = domain;
  identity_ = &identity;
}

void Sequencer::submit(Command command, std::optional<exchange::Idempotency> idempotency,
                       Done done) {
  std::optional<Error> refused;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || failed_)
      refused = Error{ErrorCode::unavailable, "the exchange takes no commands now; try again", {}};
    else if (waiting_.size() >= options_.max_waiting)
      refused = Error{ErrorCode::unavailable, "too many commands wait; try again", {}};
    else
      waiting_.push_back({std::move(command), std::move(idempotency), std::move(done)});
  }
  if (refused) {
    // NOLINTNEXTLINE(bugprone-use-after-move): moved only where nothing is refused
    if (done) done(fail(*std::move(refused)));
    return;
  }
  changed_.notify_one();
}

void Sequencer::wait(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [this] { return woken_ || stopped_ || !waiting_.empty(); });
  woken_ = false;
}

void Sequencer::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void Sequencer::stop() {
  std::deque<Waiting> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(waiting_);
  }
  changed_.notify_all();
  for (Waiting& waiting : dropped)
    if (waiting.done) waiting.done(fail(ErrorCode::unavailable, "the exchange is stopping"));
}

std::vector<Sequencer::Waiting> Sequencer::take_group() {
  const std::lock_guard lock(mutex_);
  std::vector<Waiting> group;
  const size_t count = std::min(waiting_.size(), options_.max_group);
  group.reserve(count + 1);
  for (size_t i = 0; i < count; ++i) {
    group.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return group;
}

void Sequencer::notice_absence(std::vector<Waiting>& group) {
  const MonotonicMs now = clock_.monotonic();
  const uint64_t away = now.ms > alive_.ms ? now.ms - alive_.ms : 0;
  alive_ = now;
  const auto jump = time_.take_jump();
  if (jump)
    log_.warn("clock_jumped",
              {{"by_ms", std::to_string(*jump)},
               {"note", *jump < 0               ? "time goes on at half speed until it fits"
                        : time_.astray_ms() > 0 ? "it is not followed; if it is right, start again"
                                                : "every lease gets its whole grace again"}});
  const bool was_away = away > options_.absence_ms;
  if (was_away) log_.warn("was_away", {{"for_ms", std::to_string(away)}});
  // Neither a frozen process nor a clock set ahead may look like providers that fell silent.
  if ((was_away || (jump && *jump > 0)) && state_.unlocked().config())
    group.insert(group.begin(), Waiting{exchange::Resume{}, std::nullopt, nullptr});
}

Result<journal::GroupInfo> Sequencer::commit(std::vector<Sequenced>& commands,
                                             std::vector<Waiting>& group) {
  std::vector<Bytes> records;
  size_t bytes = 0;
  for (const Sequenced& sequenced : commands) {
    records.push_back(exchange::encode(sequenced));
    bytes += records.back().size();
    if (bytes > journal::kMaxGroupBytes && records.size() > 1) {
      records.pop_back();
      put_back(commands, group, records.size());
      break;
    }
  }
  const std::vector<ByteView> views(records.begin(), records.end());
  return journal_.append_group(views);
}

void Sequencer::put_back(std::vector<Sequenced>& commands, std::vector<Waiting>& group,
                         size_t from) {
  const std::lock_guard lock(mutex_);
  for (size_t i = group.size(); i-- > from;) {
    group[i].command = std::move(commands[i].command);
    group[i].idempotency = std::move(commands[i].idempotency);
    waiting_.push_front(std::move(group[i]));
  }
  commands.resize(from);
  group.resize(from);
}

void Sequencer::fail_all(std::vector<Waiting>& group, const Error& error) {
  failed_ = true;
  log_.error("journal_failed",
             {{"code", std::string(to_string(error.code))}, {"message", error.message}});
  for (Waiting& waiting : group)
    if (waiting.done)
      waiting.done(fail(ErrorCode::unavailable,
                        "the exchange's journal failed; whether this was taken is known after its "
                        "restart"));
  stop();
  if (on_failure_) on_failure_(error);
}

bool Sequencer::step() {
  if (failed_) return false;
  std::vector<Waiting> group = take_group();
  // First, so that no jump of it goes unnoticed.
  const UnixMs time = std::max(time_.now(), state_.unlocked().now());
  notice_absence(group);
  if (group.empty()) return false;

  std::vector<Sequenced> commands;
  commands.reserve(group.size());
  uint64_t sequence = state_.unlocked().last_sequence();
  for (Waiting& waiting : group)
    commands.push_back(
        {++sequence, time, std::move(waiting.idempotency), std::move(waiting.command)});

  const auto info = commit(commands, group);
  if (!info) {
    fail_all(group, info.error());
    return false;
  }
  ensure(info->first_sequence == commands.front().sequence &&
             info->last_sequence == commands.back().sequence,
         "the journal and the core count alike");
  ++groups_;

  std::vector<exchange::Outcome> outcomes;
  outcomes.reserve(group.size());
  for (const Sequenced& command : commands)
    outcomes.push_back(state_.write([&](Exchange& exchange) {
      exchange::Outcome outcome = exchange.apply(command);
      if (observer_) observer_(outcome, exchange);
      return outcome;
    }));

  std::shared_ptr<Sealed> sealed;
  for (size_t i = 0; i < group.size(); ++i) {
    if (!group[i].done) continue;
    if (!sealed) {
      sealed = std::make_shared<Sealed>();
      sealed->acknowledgement = {info->first_sequence, info->last_sequence, info->head, time.ms};
      if (domain_) sealed->signature = eip712::sign(*domain_, sealed->acknowledgement, *identity_);
    }
    group[i].done(Applied{commands[i].sequence, std::move(outcomes[i]), sealed});
  }
  maybe_snapshot();
  return true;
}

void Sequencer::maybe_snapshot() {
  const uint64_t at = state_.unlocked().last_sequence();
  if (options_.snapshot_every == 0 || at - snapshot_at_ < options_.snapshot_every || saving_)
    return;
  snapshot_at_ = at;
  Bytes bytes = state_.unlocked().encode();
  if (!post_) return save_snapshot(at, bytes);
  // Its sync may take as long as thousands of commands.
  saving_ = true;
  post_([this, at, bytes = std::make_shared<const Bytes>(std::move(bytes))] {
    save_snapshot(at, *bytes);
    saving_ = false;
  });
}

void Sequencer::save_snapshot(uint64_t at, const Bytes& bytes) {
  auto saved = journal_.save_snapshot(at, bytes);
  if (saved && options_.prune && at > options_.keep_before_snapshot)
    saved = journal_.prune(at + 1 - options_.keep_before_snapshot);
  if (saved)
    log_.info("snapshot",
              {{"sequence", std::to_string(at)}, {"bytes", std::to_string(bytes.size())}});
  else
    log_.warn("snapshot_failed", {{"message", saved.error().message}});
}

Result<Exchange> recover_state(journal::Journal& journal, bool from_genesis,
                               const exchange::RuleSets& rules) {
  Exchange exchange(rules);
  if (!from_genesis) {
    MIZAN_TRY(snapshot, journal.latest_snapshot());
    if (snapshot) {
      MIZAN_TRY(restored, Exchange::restore(snapshot->state, rules));
      if (restored.last_sequence() != snapshot->at.sequence)
        return fail(Error{
            ErrorCode::corrupted,
            "the snapshot is of another sequence than its name",
            {}}.with("place", "snapshot " + std::to_string(snapshot->at.sequence)));
      exchange = std::move(restored);
    }
  }
  const auto apply = [&exchange](uint64_t sequence, ByteView record) -> Result<void> {
    const auto bad = [sequence](const std::string& why) {
      return fail(Error{
          ErrorCode::corrupted,
          "journal record " + std::to_string(sequence) + ": " + why,
          {}}.with("place", "record " + std::to_string(sequence)));
    };
    auto sequenced = exchange::decode_sequenced(record);
    if (!sequenced) return bad(sequenced.error().message);
    if (sequenced->sequence != sequence || sequence != exchange.last_sequence() + 1)
      return bad("its sequence is " + std::to_string(sequenced->sequence));
    if (sequenced->time < exchange.now()) return bad("its time is before the one before it");
    MIZAN_CHECK(exchange.knows_rules(sequenced->command));
    exchange.apply(*sequenced);
    return {};
  };
  MIZAN_CHECK(journal.read(exchange.last_sequence() + 1, apply));
  return exchange;
}

}  // namespace mizan::service
