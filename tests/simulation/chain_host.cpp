#include "simulation/chain_host.hpp"

namespace mizan::simulation {

using namespace exchange;
using test::PlainContract;
using test::Sent;
using Kind = Sent::Kind;

namespace {

constexpr size_t kMostTurn = 8;

}  // namespace

ChainHost::ChainHost(Surroundings& world, ExchangeHost& exchange)
    : world_(world),
      exchange_(exchange),
      random_(world.random.fork("chain")),
      chain_(*exchange.config().settlement) {
  blocks_.push_back({chain_.first,
                     PlainContract(exchange.operator_key().address(), chain_.close_delay_s),
                     {},
                     {}});
  block_ms_ = random_.between(1'000, 12'000);
}

void ChainHost::begin() {
  world_.scheduler.after(block_ms_, [this] { mine(); });
  world_.scheduler.after(500, [this] { serve(); });
}

void ChainHost::deposit(const Address& owner, uint64_t amount) {
  send({Kind::deposit, owner, amount, {}});
}

void ChainHost::meddle(const Address& owner) {
  Sent sent{Kind::withdraw, owner, random_.between(1, 20'000'000), {}};
  const Exchange* exchange = core();
  const auto leases =
      exchange == nullptr ? std::vector<const Lease*>{} : exchange->leases_of(owner);
  if (!leases.empty() && random_.chance(5'000)) {
    const Lease& lease = *leases[random_.below(leases.size())];
    sent.lease = lease.id;
    sent.amount = lease.vouchered;
    sent.kind = lease.terms.buyer == owner ? Kind::stop
                : random_.chance(5'000)    ? Kind::claim
                                           : Kind::close;
  }
  if (sent.kind == Kind::stop) world_.wishes.stops.insert(sent.lease);
  send(sent);
}

void ChainHost::send(const Sent& sent) {
  if (world_.faults.strikes(Fault::chain_drop, 500)) return;
  waiting_.push_back(sent);
}

const Exchange* ChainHost::core() const {
  return exchange_.up() ? &exchange_.service()->state().unlocked() : nullptr;
}

void ChainHost::mine() {
  if (blocks_.size() > 1 && world_.faults.strikes(Fault::chain_turn, 400)) turn();
  const Block& last = blocks_.back();
  const Hash32 hash = keccak256("block " + std::to_string(++made_));
  const uint64_t now = (kEpochMs + world_.scheduler.now_ms()) / 1000;
  uint64_t time = std::max(last.place.time + 1, now);
  if (world_.faults.strikes(Fault::chain_clock, 300))
    time = std::max(last.place.time + 1, now + random_.below(40) - 20);
  blocks_.push_back(test::block_after(last, hash, time, waiting_, [this] {
    return world_.faults.is_calm() || !random_.chance(1'000);
  }));
  if (blocks_.size() > 600) blocks_.erase(blocks_.begin());
  const bool slow = world_.faults.strikes(Fault::chain_slow, 100);
  world_.scheduler.after(slow ? random_.between(20'000, 200'000) : block_ms_, [this] { mine(); });
}

/// The last blocks go; most of what was in them waits again, some of it is forgotten.
void ChainHost::turn() {
  for (uint64_t count = random_.between(1, kMostTurn); count > 0 && blocks_.size() > 1; --count) {
    for (const Sent& sent : blocks_.back().sent)
      if (sent.kind == Kind::deposit || random_.chance(8'000)) waiting_.push_back(sent);
    blocks_.pop_back();
  }
}

void ChainHost::serve() {
  world_.scheduler.after(random_.between(300, 1'500), [this] { serve(); });
  const uint64_t now = world_.scheduler.now_ms();
  if (world_.faults.strikes(Fault::chain_away, 30))
    away_until_ms_ = now + random_.between(1'000, 90'000);
  const Exchange* exchange = core();
  if (exchange == nullptr || exchange->chain() == nullptr || now < away_until_ms_) return;
  if (now >= told_until_ms_) follow(*exchange);
  bring(*exchange);
}

const ChainHost::Block* ChainHost::find(const ledger::Place& place) const {
  const uint64_t first = blocks_.front().place.number;
  if (place.number < first || place.number - first >= blocks_.size()) return nullptr;
  const Block& block = blocks_[place.number - first];
  return block.place == place ? &block : nullptr;
}

void ChainHost::follow(const Exchange& core) {
  const ledger::Mirror& mirror = *core.chain();
  if (const Block* last = find(mirror.last())) {
    compare(core, *last);
    if (mirror.last().number + 1 + chain_.depth > blocks_.back().place.number) return;
    const Block& next = *(last + 1);
    return tell(ChainSeen{next.place, next.facts});
  }
  std::vector<ledger::Place> places = mirror.places();
  places.insert(places.begin(), mirror.base());
  while (!places.empty() && find(places.back()) == nullptr) places.pop_back();
  world_.expect(!places.empty(), "the chain turned further than is remembered");
  if (!places.empty()) tell(ChainTakenBack{places.back()});
}

void ChainHost::tell(Command command) {
  told_until_ms_ = world_.scheduler.now_ms() + 5'000;
  exchange_.submit(std::move(command), [this](const Result<service::Applied>& applied) {
    told_until_ms_ = 0;
    // What was asked twice, since the first answer was lost, is refused.
    if (applied && !applied->outcome.answer)
      world_.expect(applied->outcome.answer.error().code == ErrorCode::conflict ||
                        applied->outcome.answer.error().code == ErrorCode::not_found,
                    "the chain's word is refused: " + applied->outcome.answer.error().message);
  });
}

void ChainHost::bring(const Exchange& core) {
  const uint64_t now = world_.scheduler.now_ms();
  const auto due = [&](Kind kind, const LeaseId& lease) {
    uint64_t& at = again_at_ms_[{static_cast<int>(kind), lease}];
    if (now < at) return false;
    at = now + 4 * block_ms_ + 5'000;
    return true;
  };
  for (const Lease* lease : core.opening()) {
    const auto sent = sent_.find(lease->id);
    if (sent == sent_.end() && !lease->funded() && never_sent_.contains(lease->id)) continue;
    if (sent == sent_.end() && !lease->funded() && !world_.faults.is_calm() &&
        random_.chance(100)) {
      never_sent_.insert(lease->id);
      exchange_.submit(NotOpened{lease->id, "not_opened"}, nullptr);
      return;
    }
    if (sent != sent_.end() && sent->second == lease->attempt && !due(Kind::open, lease->id))
      continue;
    sent_[lease->id] = lease->attempt;
    due(Kind::open, lease->id);
    send({Kind::open,
          {},
          0,
          lease->id,
          lease->terms,
          lease->bid,
          lease->clearance_until,
          0,
          lease->payees});
  }
  for (const Lease* lease : core.stopping())
    if (due(Kind::stop, lease->id)) send({Kind::stop, {}, 0, lease->id});
  for (const Lease* lease : core.settling())
    if (due(Kind::close, lease->id)) bring_end(*lease);
}

void ChainHost::bring_end(const Lease& lease) {
  if (lease.close) return send({Kind::close, {}, lease.vouchered, lease.id});
  if (lease.vouchered != 0) send({Kind::claim, {}, lease.vouchered, lease.id});
  send({Kind::finalize, {}, 0, lease.id});
}

void ChainHost::compare(const Exchange& core, const Block& block) {
  const ledger::Mirror& mirror = *core.chain();
  for (const auto& [owner, account] : mirror.accounts())
    world_.expect(account.balance == block.contract.balance(owner),
                  "a balance is not that of the contract");
  for (const Lease* lease : core.opening())
    world_.expect(block.contract.find(lease->id) == nullptr,
                  "an opening is awaited of a lease that is open");
  world_.expect(!core.chain_alarm(), "an alarm, though no key was stolen");
}

bool ChainHost::at_rest() const {
  const Exchange* exchange = core();
  return exchange != nullptr && exchange->opening().empty() && exchange->settling().empty() &&
         exchange->chain()->sums().escrow == 0;
}

void ChainHost::finish(const std::vector<Address>& parties) {
  const Exchange& exchange = *core();
  const Block* block = find(exchange.chain()->last());
  world_.expect(block != nullptr, "at rest, and the chain has turned");
  if (block == nullptr) return;
  compare(exchange, *block);
  for (const Address& party : parties)
    world_.expect(exchange.account(party).balance.nano == block->contract.balance(party) &&
                      exchange.account(party).escrowed.nano == 0,
                  "an account is not what the contract says");
  for (const Lease* lease : exchange.all_leases()) {
    const PlainContract::Lease* there = block->contract.find(lease->id);
    world_.expect(
        lease->settlement.charged == (there == nullptr ? 0 : there->claimed) &&
            (there == nullptr || (there->closed && lease->settlement.refunded == there->refunded)),
        "a lease's amounts are not the contract's");
  }
}

}  // namespace mizan::simulation
