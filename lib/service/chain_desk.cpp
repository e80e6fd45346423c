#include "service/chain_desk.hpp"

#include "crypto/address.hpp"
#include "exchange/receipt.hpp"
#include "service/chain_items.hpp"
#include "settlement/escrow_errors.hpp"

#include <algorithm>
#include <utility>

namespace mizan::service {
namespace {

namespace escrow = settlement::escrow;
using exchange::Exchange;
using exchange::Lease;
using settlement::SendState;

constexpr uint64_t kLongestPause = 64;  // blocks
constexpr u128 kGasOfALease = 200'000;  // to open and to end it, with a claim or a stop
constexpr uint64_t kGasBlocks = 4;      // between two looks at what is left

std::string id_of(std::string_view what, const LeaseId& lease) {
  return std::string(what) + ":" + hex(lease.view());
}

/// Another one for each request.
std::string stop_id(const Lease& lease) {
  return id_of("stop", lease.id) + ":" + std::to_string(lease.request->nonce);
}

/// The leases that an entry of ours is about.
std::vector<LeaseId> leases_of(const std::string& id) {
  std::vector<LeaseId> out;
  for (const std::string& name : names_in(id))
    if (const auto lease = parse_fixed<LeaseId>(name.substr(0, 64))) out.push_back(*lease);
  return out;
}

}  // namespace

ChainDesk::ChainDesk(Context& context, settlement::Outbox outbox)
    : context_(context),
      chain_(*context.state.unlocked().config()->chain),
      outbox_(std::move(outbox)),
      heard_at_ms_(context.parts.clock.monotonic().ms),
      away_(context.state.unlocked().chain_away()) {
  for (const settlement::Entry* entry : outbox_.entries()) carry(entry->id, true);
}

Result<std::unique_ptr<ChainDesk>> ChainDesk::open(Context& context) {
  const ChainParts& parts = *context.parts.chain;
  settlement::OutboxOptions options;
  options.depth = context.state.unlocked().config()->chain->depth;
  MIZAN_TRY(outbox, settlement::Outbox::open(parts.outbox, parts.node, parts.gas, options));
  return std::unique_ptr<ChainDesk>(new ChainDesk(context, std::move(outbox)));
}

void ChainDesk::tell(const exchange::Event& event) {
  if (const auto* alarm = std::get_if<exchange::ChainAlarm>(&event))
    context_.parts.log.error(
        "chain_alarm",
        {{"lease", hex0x(alarm->lease.view())},
         {"note",
          "it opened on the contract, and this exchange never cleared it: the clearance key is "
          "stolen, or the exchange was restored from an older backup. Have the "
          "guardian revoke the key and put another in its place; nothing opens "
          "until then"}});
  if (std::holds_alternative<exchange::OpenWanted>(event) ||
      std::holds_alternative<exchange::StopWanted>(event) ||
      std::holds_alternative<exchange::CloseWanted>(event))
    wake();
}

void ChainDesk::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = news_ = true;
  }
  changed_.notify_one();
}

void ChainDesk::wait(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, most, [this] { return woken_; });
  woken_ = false;
}

bool ChainDesk::step() {
  const auto followed = follow();
  const bool more = followed.value_or(false);
  tell_away();
  note("follow", followed ? Result<void>{} : Result<void>(fail(followed.error())));
  bring_when_due();
  const auto ended = [this] {
    return std::ranges::count_if(outbox_.entries(),
                                 [](const settlement::Entry* entry) { return entry->ended(); });
  };
  const auto before = ended();
  note("send", outbox_.step());
  if (ended() != before) bring_due_ = true;
  note("forget", forget_ended());
  if (followed) note("gas", watch_gas());
  const uint64_t head = follower_ ? follower_->head() : 0;
  ChainBoard::Health health{seen_to_,     {},           gas_, away_, std::max(seen_to_, head),
                            chain_.depth, opened_ahead_};
  for (const auto& [what, why] : troubles_)
    if (health.trouble.empty()) health.trouble = why;
  context_.chain.set(std::move(health));
  return more;
}

/// Tells the log when something gets in the way, and when it is gone.
void ChainDesk::note(const char* doing, const Result<void>& result) {
  if (!result && result.error().code == ErrorCode::io_error) failure_ = result.error();
  std::string& before = troubles_[doing];
  const std::string now = result ? "" : result.error().message;
  if (now == before) return;
  if (now.empty())
    context_.parts.log.info("chain_goes_on", {{"doing", doing}});
  else
    context_.parts.log.warn("chain_waits", {{"doing", doing}, {"why", now}});
  before = now;
}

/// What waits is read when it may have changed, not at every look at the node: it may be much.
void ChainDesk::bring_when_due() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(news_, false)) bring_due_ = true;
  }
  if (!bring_due_ && seen_to_ == brought_to_) return;
  const auto brought = bring();
  bring_due_ = !brought;
  brought_to_ = seen_to_;
  note("bring", brought);
}

Result<void> ChainDesk::bring() {
  std::vector<Lease> opening, stopping;
  std::vector<Ending> settling;
  context_.state.read([&](const Exchange& core) {
    for (const Lease* lease : core.opening()) opening.push_back(*lease);
    for (const Lease* lease : core.stopping()) stopping.push_back(*lease);
    for (const Lease* lease : core.settling())
      settling.emplace_back(*lease,
                            exchange::end_wants(*lease, *core.chain(), chain_.close_delay_s));
  });
  Result<void> result;
  const auto keep = [&result](Result<void> one) {
    if (result && !one) result = std::move(one);
  };
  for (const Lease& lease : stopping) keep(bring_stop(lease));
  keep(bring_ends(settling));
  keep(bring_openings(opening));
  return result;
}

Result<void> ChainDesk::bring_opening(const Lease& lease, const settlement::Entry* batch) {
  const std::string id = "open:" + opening_name(lease);
  const settlement::Entry* entry = outbox_.find(id);
  if (entry != nullptr && entry->state == SendState::refused && !lease.funded() &&
      not_opened_.insert(id).second) {
    context_.parts.log.warn("not_opened",
                            {{"lease", hex0x(lease.id.view())}, {"why", entry->reason}});
    // One whose nonce is spent may be open, by a transaction that is not deep enough yet; and one
    // that was in a batch may be opened by anybody who has seen that.
    const std::string refusal = settlement::revert_code(entry->reason);
    const bool was_out = batch != nullptr && batch->state != SendState::refused;
    if (refusal != "bid_nonce_spent" && !was_out)
      context_.sequencer.submit(exchange::NotOpened{lease.id, refusal}, std::nullopt,
                                [this](const Result<Applied>&) { wake(); });
  }
  // Only what never was in the world can be said not to open: all else that failed waits for the
  // clearance's end, by the chain's own time.
  if (entry != nullptr && entry->state != SendState::done) return {};
  if (batch != nullptr && batch->state == SendState::lost) return {};
  if (entry == nullptr && out("open") >= kMostOpenings) return {};  // with the next block
  const eip712::Clearance clearance = exchange::clearance_of(lease);
  const Signature signature =
      eip712::sign(context_.domain, clearance, context_.parts.keys.clearance);
  return want(id, escrow::open(open_item(lease), clearance, signature));
}

/// The contract's clock stands as the exchange's does, whether or not the provider answers. One
/// request at a time is on its way: the first that is heard makes the others worthless.
Result<void> ChainDesk::bring_stop(const Lease& lease) {
  if (seen_time_ > lease.request->deadline) return {};  // the buyer may sign another
  const std::string id = stop_id(lease);
  for (const settlement::Entry* entry : outbox_.entries())
    if (entry->id != id && entry->id.starts_with(id_of("stop", lease.id)) && !entry->ended())
      return {};
  return want(id,
              escrow::request_close_for(lease.terms, *lease.request, lease.request_signature, 0));
}

Result<void> ChainDesk::bring_end(const Lease& lease, const exchange::EndWants& wants) {
  if (wants.close) {
    const std::string id = id_of("close", lease.id);
    MIZAN_CHECK(want(id, escrow::close(close_item(lease))));
    const auto again = again_.find(id);
    if (again == again_.end() || !again->second.refused) return {};
  }
  // No provider's word, or the contract does not take it: the voucher still counts, and time ends
  // it.
  if (wants.claim)
    MIZAN_CHECK(
        want(id_of("claim", lease.id),
             escrow::claim(lease.terms, lease.vouchered, lease.voucher_signature, lease.payees)));
  if (wants.finalize)
    MIZAN_CHECK(want(id_of("finalize", lease.id), escrow::finalize_close(lease.terms)));
  return {};
}

Result<void> ChainDesk::want(const std::string& id, const Bytes& data) {
  const settlement::Call call{chain_.contract, 0, data};
  const settlement::Entry* entry = outbox_.find(id);
  if (entry == nullptr) return outbox_.submit(id, call);
  if (!entry->ended()) return {};
  const bool done = entry->state == SendState::done;
  // Once the state has seen its block and not what it did, the chain turned behind it; or the node
  // does not tell all, and what can't be seen is not paid for at every block.
  if (done && seen_to_ < entry->block + chain_.depth) return {};
  Again& again = again_[id];
  if (again.not_before == 0) {
    if (!done) context_.parts.log.warn("contract_refused", {{"call", id}, {"why", entry->reason}});
    again.refused = !done;
    again.not_before =
        seen_to_ + std::min(kLongestPause, uint64_t{1} << std::min<uint64_t>(again.times, 6));
    ++again.times;
  }
  if (seen_to_ < again.not_before) return {};
  again.not_before = 0;
  MIZAN_CHECK(outbox_.forget(id));
  return outbox_.submit(id, call);
}

Result<void> ChainDesk::forget_ended() {
  std::vector<std::string> ended;
  context_.state.read([&](const Exchange& core) {
    std::set<LeaseId> wanted;
    std::set<std::string> stops;
    for (const Lease* lease : core.opening()) wanted.insert(lease->id);
    for (const Lease* lease : core.settling()) wanted.insert(lease->id);
    for (const Lease* lease : core.stopping()) stops.insert(stop_id(*lease));
    for (const settlement::Entry* entry : outbox_.entries()) {
      const auto leases = leases_of(entry->id);
      if (!entry->ended() || leases.empty()) continue;
      const bool kept = entry->id.starts_with("stop:")
                            ? stops.contains(entry->id)
                            : std::ranges::any_of(leases, [&](const LeaseId& lease) {
                                return wanted.contains(lease);
                              });
      if (!kept) ended.push_back(entry->id);
    }
  });
  for (const std::string& id : ended) {
    again_.erase(id);
    not_opened_.erase(id);
    MIZAN_CHECK(outbox_.forget(id));
    carry(id, false);
  }
  return {};
}

void ChainDesk::tell_gas(bool low) {
  context_.sequencer.submit(exchange::ChainGas{low}, std::nullopt,
                            [this](const Result<Applied>&) { wake(); });
}

/// Holds what the gas account has against what leases cost at the price of now; what follows for
/// the exchange is a command.
Result<void> ChainDesk::watch_gas() {
  const uint64_t least = context_.config.chain ? context_.config.chain->least_gas : 0;
  const bool was_low = context_.state.read([](const Exchange& core) { return core.gas_is_low(); });
  if (least == 0) {
    if (was_low) tell_gas(false);
    return {};
  }
  // Where it was low a little more is asked for, so that it does not go to and fro.
  const uint64_t enough = was_low ? least + least / 4 : least;
  if (!gas_ || seen_to_ >= gas_read_at_ + (was_low ? 1 : kGasBlocks)) {
    settlement::Node& node = context_.parts.chain->node;
    MIZAN_TRY(head, node.head());
    MIZAN_TRY(fees, node.suggested_fees(head));
    MIZAN_TRY(wei, node.balance(outbox_.account()));
    MIZAN_TRY(cost, checked_mul(fees.most, kGasOfALease));
    gas_ = wei;
    // Those that are not over have their ends to be paid for.
    const size_t live =
        context_.state.read([](const Exchange& core) { return core.live_leases(); });
    const u128 all = wei / cost;
    gas_for_ = all - std::min<u128>(all, live);
    gas_read_at_ = seen_to_;
    if (const bool low = gas_for_ < enough; low != was_low) tell_gas(low);
  }
  if (gas_for_ >= enough) return {};
  return fail(ErrorCode::insufficient_funds,
              "the gas account " + to_checksum(outbox_.account()) + " pays for " +
                  mizan::to_string(gas_for_) +
                  " more leases than are open, at the price of now, and nothing new "
                  "opens until it pays for " +
                  std::to_string(enough) + ": send it the chain's coin");
}

}  // namespace mizan::service
