#include "simulation/chain_host.hpp"

namespace mizan::simulation {

using namespace exchange;
using test::PlainContract;
using test::Sent;
using Kind = Sent::Kind;

ChainHost::ChainHost(Surroundings& world, ExchangeHost& exchange)
    : world_(world),
      exchange_(exchange),
      random_(world.random.fork("parties")),
      chain_(*exchange.chain()) {
  exchange.on_step = [this] {
    const Exchange& state = *core();
    const ledger::Place last = state.chain()->last();
    if (last == compared_) return;
    compared_ = last;
    // One that has turned since is soon taken back.
    if (const ChainBlock* block = chain_.find(last)) compare(state, *block);
  };
}

void ChainHost::deposit(const Address& owner, uint64_t amount) {
  chain_.send({Kind::deposit, owner, chain_.head().contract->units(amount), {}});
}

void ChainHost::meddle(const Address& owner) {
  Sent sent{
      Kind::withdraw, owner, chain_.head().contract->units(random_.between(1, 20'000'000)), {}};
  const Exchange* exchange = core();
  const auto leases =
      exchange == nullptr ? std::vector<const Lease*>{} : exchange->leases_of(owner);
  if (!leases.empty() && random_.chance(5'000)) {
    const Lease& lease = *leases[random_.below(leases.size())];
    sent.lease = lease.id;
    sent.amount = lease.vouchered;
    sent.payees = lease.payees;
    sent.kind = lease.terms.buyer == owner ? Kind::stop
                : random_.chance(5'000)    ? Kind::claim
                                           : Kind::close;
  }
  if (sent.kind == Kind::stop) world_.wishes.stops.insert(sent.lease);
  chain_.send(sent);
}

const Exchange* ChainHost::core() const {
  return exchange_.up() ? &exchange_.service()->state().unlocked() : nullptr;
}

void ChainHost::compare(const Exchange& core, const ChainBlock& block) {
  for (const auto& [owner, account] : core.chain()->accounts())
    world_.expect(account.balance == block.contract->balance(owner),
                  "a balance is not that of the contract");
  for (const Lease* lease : core.opening())
    world_.expect(block.contract->find(lease->id) == nullptr,
                  "an opening is awaited of a lease that is open");
  world_.expect(!core.chain_alarm(), "an alarm, though no key was stolen");
}

bool ChainHost::at_rest() const {
  const Exchange* exchange = core();
  return exchange != nullptr && exchange->opening().empty() && exchange->settling().empty() &&
         exchange->chain()->sums().escrow == 0 && chain_.pool().empty();
}

void ChainHost::finish(const std::vector<Address>& parties) {
  const Exchange& exchange = *core();
  const ChainBlock* block = chain_.find(exchange.chain()->last());
  world_.expect(block != nullptr, "at rest, and the chain has turned");
  if (block == nullptr) return;
  compare(exchange, *block);
  const auto money = [&](u128 units) { return exchange.chain()->money(units); };
  const auto health = exchange_.service()->context().chain.get();
  world_.expect(health.trouble.empty(), "at rest, and the chain desk waits: " + health.trouble);
  for (const Address& party : parties)
    world_.expect(exchange.account(party).balance == money(block->contract->balance(party)) &&
                      exchange.account(party).escrowed.nano == 0,
                  "an account is not what the contract says");
  for (const Lease* lease : exchange.all_leases()) {
    const PlainContract::Lease* there = block->contract->find(lease->id);
    world_.expect(
        lease->settlement.charged == (there == nullptr ? 0 : money(there->claimed).nano) &&
            (there == nullptr ||
             (there->closed && lease->settlement.refunded == money(there->refunded).nano)),
        "a lease's amounts are not the contract's");
    // To the unit what the contract pays of it, by its own clock.
    world_.expect(
        there == nullptr || block->contract->payable(*there, UINT64_MAX, lease->final_charge) >=
                                block->contract->units(lease->final_charge),
        "lease " + hex(lease->id.view()).substr(0, 8) + ": the bill is above the contract's bound");
  }
}

}  // namespace mizan::simulation
