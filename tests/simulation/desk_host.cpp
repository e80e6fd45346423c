#include "simulation/desk_host.hpp"

namespace mizan::simulation {

DeskHost::DeskHost(Surroundings& world, const exchange::ChainSettlement& settlement,
                   const Address& operator_, const Address& clearance_key)
    : world_(world),
      random_(world.random.fork("desk")),
      gas_(world.key("gas")),
      chain_(world, settlement, operator_, clearance_key, gas_.address()),
      answers_(world, chain_),
      node_(settlement::JsonRpc("the simulated node",
                                [this](const std::string& body) { return answers_.answer(body); },
                                {.attempts = 1}),
            settlement.chain_id),
      outbox_(world, keccak256("outbox"), "outbox") {
  answers_.dies = [this] { return dies(); };
  answers_.pass = [this](uint64_t ms) {
    if (is_dead()) return;
    passes_ms_ = ms;
    lane_.pause();
  };
  outbox_.set_on_crash([this] { dead_ = true; });
}

DeskHost::~DeskHost() {
  stop();
}

bool DeskHost::dies() {
  if (!is_dead() && world_.faults.strikes(Fault::exchange_crash, 3)) {
    dead_ = true;
    outbox_.stop();
  }
  return is_dead();
}

Result<const service::ChainParts*> DeskHost::open() {
  auto journal = outbox_.open();
  if (!journal) {
    world_.expect(outbox_.is_damaged() && journal.error().code == ErrorCode::corrupted,
                  "the outbox's journal does not open: " + journal.error().message);
    outbox_.repair();
    return fail(std::move(journal).error());
  }
  world_.expect(!outbox_.is_damaged(), "a damaged outbox was opened");
  journal_ = *std::move(journal);
  dead_ = false;
  parts_.emplace(service::ChainParts{node_, *journal_, gas_});
  return &*parts_;
}

void DeskHost::start(service::Service& service) {
  desk_ = service.chain();
  ++life_;
  later(random_.below(300));
}

void DeskHost::stop() {
  dead_ = true;
  outbox_.stop();
  ++life_;
  while (lane_.is_amid()) lane_.resume();  // each request fails at once
  desk_ = nullptr;
  parts_.reset();
  journal_.reset();
}

void DeskHost::later(uint64_t ms) {
  world_.scheduler.after(ms, [this, life = life_] {
    if (life == life_) turn();
  });
}

void DeskHost::turn() {
  if (const uint64_t still = still_for_ms(); still != 0) return later(still);
  if (lane_.is_amid())
    lane_.resume();
  else
    lane_.run([this] { more_ = desk_->step(); });
  const uint64_t pause = lane_.is_amid() ? passes_ms_
                         : more_         ? random_.below(5)
                                         : random_.between(300, 1'500);
  later(pause);
  after_turn();
}

}  // namespace mizan::simulation
