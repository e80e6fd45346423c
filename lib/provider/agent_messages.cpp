#include "codec/json_fields.hpp"
#include "provider/agent.hpp"

#include <algorithm>
#include <set>

namespace mizan::provider {
namespace {

constexpr uint64_t kTryAgainMs = 5'000;
constexpr uint64_t kLogPatienceMs = 300'000;  ///< the exchange waits 15 minutes for the close
constexpr uint64_t kSequenceJump = 1'000'000;
constexpr size_t kLostMax = 10'000;

}  // namespace

void Agent::handle(const Welcome& message) {
  welcomed_ = true;
  attempts_ = 0;
  beat_due_ = true;
  exchange_ahead_ms_ = message.time_ms - now_ms();
  exchange_heard_ = true;
  std::set<LeaseId> known;
  for (const WelcomeLease& each : message.leases) {
    known.insert(each.lease);
    if (LeaseRun* run = find(each.lease)) {
      run->log_acked = each.log_bytes;
      run->log_again_at_ms = 0;
      run->opening = each.state == "opening";
      // What it lost of the log in a crash of its own is still here.
      if (run->body == Body::exited) run->log_delivered = false;
      if (each.closing) end_late(*run);
      continue;
    }
    // One that is not firm lapses by itself, or `funded` or `stop` follows: until then the
    // exchange takes no word on it.
    if (each.state != "matched" && each.state != "opening") report_lost(each.lease);
  }
  for (auto& [id, run] : leases_) {
    if (known.contains(id) || run.record.stage == Stage::over) continue;
    notify(id, "the exchange has ended the lease", run.body == Body::running);
    set_stage(run, Stage::over);
  }
  notify({}, "connected to the exchange");
}

/// The exchange gave it up while we were away: what is left is to end the job and to sign its
/// close, which on a chain frees what is left of the escrow.
void Agent::end_late(LeaseRun& run) {
  if (run.record.stage == Stage::accepted) return fail_lease(run, "agent_late");
  if (run.record.stage == Stage::funded) begin_stop(run, "agent_late");
}

/// A lease that the exchange counts on and of which nothing is here: it must not wait for us.
void Agent::report_lost(const LeaseId& lease) {
  if (leases_.size() >= kLostMax || leases_.contains(lease)) return;
  notify(lease, "the exchange knows a lease of which nothing is here; reported as failed", true);
  LeaseRun& run = leases_[lease];
  run.record.lease = lease;
  run.record.stage = Stage::failed;
  run.record.reason = "agent_lost_it";
  run.record.exit_code = -1;
  run.log_delivered = true;
  beat_due_ = true;
}

void Agent::handle(const Match& message) {
  if (LeaseRun* run = find(message.lease)) {
    // Again, because our answer was lost.
    if (run->record.stage == Stage::accepted) run->accept_sent = false;
    return;
  }
  Result<void> good{};
  if (!listing_.listed && !listing_.sent)
    good = fail(ErrorCode::conflict, "no ask is listed");
  else
    good = check_match(message,
                       Offering{listing_.ask(), listing_.id(), config_.offer.capacity, free_units(),
                                config_.images},
                       parts_.facts);
  LeaseRun run;
  if (good) {
    run.record.lease = message.lease;
    run.record.terms = message.terms;
    run.record.bid = message.bid;
    run.record.bid_signature = message.bid_signature;
    run.record.job = message.spec.job;
    run.record.matched_at_ms = now_ms();
    // Units are reserved on disk before anybody is promised them.
    good = parts_.store.put("lease-" + hex(message.lease.view()), encode(run.record),
                            Durability::process);
  }
  if (!good) {
    if (listing_.sent && message.terms.provider == parts_.key.address())
      listing_.disown(message.terms.ask_hash);
    notify(message.lease, "turned down: " + good.error().message, true);
    parts_.link.send(reject_message(ask_reply(Pending::Kind::reject, message.lease), message.lease,
                                    good.error()));
    return;
  }
  notify(message.lease, "accepted: " + message.spec.job.name);
  leases_.emplace(message.lease, std::move(run));
}

void Agent::handle(const Funded& message) {
  LeaseRun* run = find(message.lease);
  if (run == nullptr) return report_lost(message.lease);
  if (run->record.stage != Stage::accepted) return;
  LeaseRecord& record = run->record;
  record.funded_at_ms = now_ms();
  if (auto good = check_clearance(message, parts_.facts, exchange_seconds()); !good) {
    notify(message.lease, "not started, its clearance is no good: " + good.error().message, true);
    return fail_lease(
        *run, good.error().code == ErrorCode::expired ? "clearance_expired" : "clearance_invalid");
  }
  record.clearance = message.clearance;
  record.clearance_signature = message.signature;
  // If the container is ready it is started at once: then one write to the store says both.
  record.start_asked = run->body == Body::prepared;
  set_stage(*run, Stage::funded);
}

void Agent::handle(const Opening& message) {
  LeaseRun* run = find(message.lease);
  if (run == nullptr || run->record.stage != Stage::accepted || run->opening) return;
  run->opening = true;
  notify(message.lease, "the lease is being opened on the chain");
}

void Agent::handle(const LogOk& message) {
  LeaseRun* run = find(message.lease);
  if (run == nullptr) return;
  run->log_acked = message.size;
  run->log_again_at_ms = 0;
  run->log_give_up_at_ms = 0;
}

void Agent::handle(const VoucherMessage& message) {
  LeaseRun* run = find(message.voucher.lease);
  if (run == nullptr || run->record.funded_at_ms == 0) return;
  LeaseRecord& record = run->record;
  const eip712::Voucher& voucher = message.voucher;
  if (auto good = eip712::check_signer(domain_, voucher, message.signature, record.terms.meter);
      !good)
    return notify(voucher.lease, "a voucher that the meter did not sign is ignored", true);
  // One that is told again, after a welcome, is no sign that more is paid.
  if (voucher.cumulative <= record.vouchered) return;
  record.vouchered = voucher.cumulative;
  record.voucher_signature = message.signature;
  record.voucher_at_ms = now_ms();
  save(*run);
  const uint64_t seconds = seconds_covered(*run);
  const uint64_t lag = 3 * parts_.facts.voucher_interval_s;
  const auto owed = cost(Rate{record.terms.rate}, record.units(), seconds - std::min(seconds, lag));
  const bool behind = owed && voucher.cumulative < owed->nano;
  if (behind && !run->behind_told)
    notify(voucher.lease,
           "vouchers are behind: " + format_usd(Money{voucher.cumulative}) + " for " +
               std::to_string(seconds) + " s",
           true);
  run->behind_told = behind;
}

void Agent::handle(const Stop& message) {
  LeaseRun* run = find(message.lease);
  if (run == nullptr) return report_lost(message.lease);
  if (run->record.stage == Stage::accepted && run->opening) {
    // The chain may open it yet: then it ends as it begins.
    run->record.stop_reason = message.reason;
    save(*run);
    return;
  }
  if (run->record.stage == Stage::accepted) return set_stage(*run, Stage::over);
  if (run->record.stage == Stage::funded) begin_stop(*run, message.reason);
}

/// Told once a minute for each rule: a buyer may ask again and again.
void Agent::handle(const PolicySpoke& message) {
  constexpr uint64_t kQuietMs = 60'000;
  constexpr size_t kMostRules = 1000;
  if (told_rules_.size() > kMostRules) told_rules_.clear();
  const auto [told, is_new] = told_rules_.try_emplace(message.rule, now_ms());
  if (!is_new && now_ms() < told->second + kQuietMs) return;
  told->second = now_ms();
  std::string text = "policy kept a bid from your offer: " + message.outcome + " " + message.rule +
                     " (" + message.head + "): " + message.sentence;
  if (!message.missing.empty()) text += " Missing: " + message.missing + ".";
  notify({}, std::move(text), false);
}

/// What it offers is offered anew, though not at once: it may be ended as soon again.
void Agent::handle(const AskEnded& message) {
  if (!listing_.sent || message.ask != listing_.id()) return;
  notify({}, "the exchange ended the ask (" + message.reason + "): another one is listed", true);
  listing_.listed = false;
  listing_.renew();
  listing_.again_at_ms = std::min(listing_.again_at_ms, now_ms() + kTryAgainMs);
}

void Agent::handle(const Closed& message) {
  if (message.receipt) {
    const eip712::Receipt& receipt = *message.receipt;
    const bool good =
        receipt.lease == message.lease &&
        eip712::check_signer(domain_, receipt, message.signature, parts_.facts.identity);
    if (!good)
      return notify(message.lease, "a receipt that the exchange did not sign is ignored", true);
    const std::string name = "receipt-" + hex(message.lease.view());
    const auto before = parts_.store.get(name);
    if (before && !*before) {
      earned_ += Money{receipt.paid};
      const std::string text = json_text(
          json::object{{"receipt", to_json(receipt)}, {"signature", to_json(message.signature)}});
      if (auto kept = parts_.store.put(name, text, Durability::machine); !kept)
        notify(message.lease, "the receipt could not be kept: " + kept.error().message, true);
      (void)parts_.store.put("earned", to_string(earned_), Durability::process);
      notify(message.lease, "closed (" + receipt.reason + "): paid " +
                                format_usd(Money{receipt.paid}) + " for " +
                                std::to_string(receipt.seconds_billed) + " s");
    }
  }
  LeaseRun* run = find(message.lease);
  if (run == nullptr) return;
  if (!message.receipt && !message.reason.empty() && run->record.stage != Stage::over)
    notify(message.lease,
           "the lease never opened (" + message.reason + "): nothing is paid for it");
  set_stage(*run, Stage::over);
}

void Agent::handle(const Reply& message) {
  const auto it = pending_.find(message.id);
  if (it == pending_.end()) {
    if (message.error) notify({}, "the exchange says: " + message.error->message, true);
    return;
  }
  const Pending pending = it->second;
  pending_.erase(it);
  if (message.error) return refused(pending, *message.error);
  // Its clock may have been set since the welcome.
  if (message.time_ms != 0) exchange_ahead_ms_ = message.time_ms - now_ms();
  if (pending.kind == Pending::Kind::heartbeat) heartbeat_taken(message.id, pending.sent_at_ms);
  if (pending.kind == Pending::Kind::close)
    if (LeaseRun* run = find(pending.lease)) run->close_answered = true;
  if (pending.kind == Pending::Kind::ask) {
    listing_.listed = true;
    listing_.again_at_ms = now_ms() + Listing::kConfirmMs;
  }
}

/// Too much of it, or the lease is over: what is stored is what there will be. All else, a full
/// disk above all, may pass; but a job that is over doesn't wait for that for ever to be paid.
void Agent::log_refused(LeaseRun& run, const Error& error) {
  const uint64_t now = now_ms();
  const bool for_good = error.code == ErrorCode::too_large || error.code == ErrorCode::not_found;
  if (run.body == Body::exited && run.log_give_up_at_ms == 0)
    run.log_give_up_at_ms = now + kLogPatienceMs;
  if (for_good || (run.log_give_up_at_ms != 0 && now >= run.log_give_up_at_ms)) {
    notify(run.record.lease, "no more of the log is taken: " + error.message, true);
    run.log_delivered = true;
    return;
  }
  run.log_again_at_ms = now + kTryAgainMs / 5;
  if (error.details.contains("size"))
    run.log_acked = std::strtoull(error.details.at("size").c_str(), nullptr, 10);
}

void Agent::refused(const Pending& pending, const Error& error) {
  LeaseRun* run = find(pending.lease);
  const bool again =
      error.code == ErrorCode::unavailable || error.code == ErrorCode::limit_exceeded;
  switch (pending.kind) {
    case Pending::Kind::ask:
      notify({}, "the ask is refused: " + error.message, true);
      listing_.listed = false;
      // The exchange has ended it, or one after it: the same ask is never taken again.
      if (error.code == ErrorCode::replayed) listing_.renew();
      break;
    case Pending::Kind::heartbeat:
      for (auto& [id, each] : leases_)
        if (!each.told) each.told_by = 0;
      if (error.code == ErrorCode::replayed) {
        sequence_ = std::max(sequence_, parts_.clock.now().ms) + kSequenceJump;
        beat_due_ = true;
      } else if (error.code == ErrorCode::not_found) {
        listing_.listed = listing_.sent = false;  // it has forgotten the ask: list again
      }
      notify({}, "a heartbeat is refused: " + error.message, true);
      break;
    case Pending::Kind::accept:
      notify(pending.lease, "the acceptance is refused: " + error.message, true);
      if (run != nullptr && run->record.stage == Stage::accepted && !again)
        set_stage(*run, Stage::over);
      break;
    case Pending::Kind::log:
      if (run != nullptr) log_refused(*run, error);
      break;
    case Pending::Kind::close:
      if (run == nullptr || again) break;
      if (error.code == ErrorCode::io_error && error.details.contains("size")) {
        // Its disk has lost some of the log: the close comes again behind it.
        run->log_delivered = false;
        log_refused(*run, error);
        break;
      }
      notify(pending.lease, "the close is refused: " + error.message, true);
      run->close_answered = true;
      if (error.details.contains("paid"))
        if (const auto paid = parse_u128(error.details.at("paid"))) run->pay_told = *paid;
      // One of which nothing is here has no voucher that could still be claimed.
      if (error.code == ErrorCode::not_found || run->record.terms.seconds == 0)
        set_stage(*run, Stage::over);
      break;
    case Pending::Kind::reject:
      if (run != nullptr) run->rejected = false;
      break;
  }
}

}  // namespace mizan::provider
