#include "simulation/exchange_host.hpp"

#include "crypto/address.hpp"
#include "service/files.hpp"

#include <array>
#include <unistd.h>

namespace mizan::simulation {
namespace {

constexpr uint64_t kChainId = 31337;
const Address kContract{{0xc0}};
constexpr std::array<uint8_t, 3> kDecimals{6, 9, 18};

}  // namespace

ExchangeHost::ExchangeHost(Surroundings& world, Network& network, Auditor& auditor,
                           const exchange::RuleSets& rules, const std::string& folder,
                           bool on_chain)
    : world_(world),
      network_(network),
      auditor_(auditor),
      random_(world.random.fork("exchange")),
      clock_(world.scheduler),
      keys_{world.key("identity"), world.key("meter"), world.key("clearance")},
      operator_key_(world.key("operator")),
      domain_(on_chain ? eip712::Domain::evm(kChainId, kContract)
                       : eip712::Domain::credits(keys_.exchange_id())),
      log_(clock_,
           [this](const std::string& line) {
             if (world_.talks) world_.say("exchange", line);
           }),
      pool_(world),
      storage_(world, keys_.exchange_id()),
      disk_(world, folder) {
  config_.operator_ = operator_key_.address();
  config_.fee_bps = static_cast<uint16_t>(random_.below(500));
  config_.voucher_interval_s = static_cast<uint32_t>(random_.between(1, 15));
  config_.readiness_s = 60;
  if (on_chain) {
    Random chain = world.random.fork("contract");
    const ledger::Place first{1'000, keccak256("first"), kEpochMs / 1000 - 1'000};
    const uint8_t decimals = kDecimals[world.random.fork("token").below(kDecimals.size())];
    config_.settlement = {kChainId,       kContract, {}, decimals, chain.between(1, 60),
                          chain.below(4), first};
    config_.chain = {"", kChainId, kContract, config_.settlement->depth, first.number};
    desk_ = std::make_unique<DeskHost>(world, *config_.settlement, config_.operator_,
                                       keys_.clearance.address());
    desk_->after_turn = [this] {
      if (has_died()) return die();
      soon();
    };
    desk_->still_for_ms = [this] {
      return paused() ? paused_until_ms_ - world_.scheduler.now_ms() : 0;
    };
  }
  config_.state = folder;
  const auto kept = service::RuleStore::open(config_.state / "rulesets");
  for (const auto& [hash, set] : rules)
    world_.expect(kept && (*kept)->keep(set), "the rule sets cannot be kept");
  config_.sequencer.snapshot_every = random_.between(50, 2'000);
  config_.sequencer.prune = random_.chance(5'000);
  config_.sequencer.keep_before_snapshot = random_.between(100, 300);  // what the auditor reads
  if (world.faults.on(Fault::clock_drift)) {
    clock_.drift_ppm = static_cast<int64_t>(random_.below(200)) - 100;
    world.faults.note(Fault::clock_drift);
  }
  pool_.on_work = [this] { soon(); };
  storage_.set_on_crash([this] { dead_ = true; });
  storage_.set_on_torn_snapshot([this] {
    world_.scheduler.after(0, [this] { kill(world_.faults.strikes(Fault::power_loss, 5'000)); });
  });
  storage_.set_on_group([this](const journal::GroupInfo& group) { auditor_.sealed(group); });
}

ExchangeHost::~ExchangeHost() {
  network_.serve(nullptr);
  pool_.drop();
  if (desk_) desk_->stop();
}

void ExchangeHost::start() {
  if (up()) return;
  // Before the auditor reads what was written last: nobody was heard since.
  world_.troubles.note(Troubles::kEverywhere, down_since_ms_, world_.scheduler.now_ms());
  const auto again = [this] { world_.scheduler.after(1'000, [this] { start(); }); };
  auto journal = storage_.open();
  if (!journal) {
    world_.expect(storage_.is_damaged() && journal.error().code == ErrorCode::corrupted,
                  "the journal does not open: " + journal.error().message);
    storage_.repair();
    return again();
  }
  world_.expect(!storage_.is_damaged(), "a damaged journal was opened");
  journal_ = *std::move(journal);
  auditor_.follow(*journal_);
  const bool power_was_lost = std::exchange(files_at_risk_, false);
  if (power_was_lost) {
    lose_logs();
    disk_.lose_power();
  }
  const service::ChainParts* chain = nullptr;
  if (desk_) {
    const auto parts = desk_->open();
    if (!parts) return again();
    chain = *parts;
  }
  auto opened = service::Service::open(config_, {clock_, pool_, *journal_, keys_, log_, chain});
  const bool crashed = storage_.crashed() || (desk_ && desk_->is_dead());
  if (crashed || !opened) {
    world_.expect(
        crashed || opened.error().code == ErrorCode::io_error ||
            opened.error().code == ErrorCode::unavailable,
        "the exchange does not start: " + (opened ? std::string() : opened.error().message));
    if (opened) service_ = *std::move(opened);
    gone(crashed && world_.faults.strikes(Fault::power_loss, 5'000));
    return again();
  }
  service_ = *std::move(opened);
  auditor_.follow(*journal_);
  auditor_.compare(service_->state().unlocked());
  if (power_was_lost) check_artifacts();
  dead_ = false;
  ++life_;
  down_since_ms_ = 0;
  network_.serve(service_.get());
  armed_at_ms_ = 0;
  if (desk_) desk_->start(*service_);
  soon();
}

/// All that the program held is lost.
void ExchangeHost::gone(bool power_lost) {
  network_.serve(nullptr);
  pool_.drop();
  if (desk_) desk_->stop();
  service_.reset();
  journal_.reset();
  dead_ = false;
  soon_ = false;
  ++life_;
  if (down_since_ms_ == 0) down_since_ms_ = world_.scheduler.now_ms();
  storage_.settle(power_lost);
  if (desk_) desk_->settle(power_lost);
  files_at_risk_ = files_at_risk_ || power_lost;
}

/// Logs are synced when their lease is closed: of the others, the end may be lost.
void ExchangeHost::lose_logs() {
  const auto file_of = [this](const LeaseId& lease) {
    return config_.state / "logs" / (hex(lease.view()) + ".log");
  };
  for (const exchange::Lease* lease : auditor_.core().all_leases())
    if (lease->over() && lease->close && std::filesystem::exists(file_of(lease->id)))
      world_.expect(
          Disk::is_synced(file_of(lease->id)),
          "the log of a closed lease is not synced: " + hex(lease->id.view()).substr(0, 8));
  for (const LeaseId& id : auditor_.books().live) {
    const exchange::Lease* lease = auditor_.core().find_lease(id);
    const auto file = file_of(id);
    std::error_code missing;
    const auto size = std::filesystem::file_size(file, missing);
    if (missing || lease == nullptr || lease->closing) continue;
    std::filesystem::resize_file(file, random_.below(size + 1), missing);
  }
}

void ExchangeHost::answered(const net::Request& request, const net::Response& response) {
  constexpr std::string_view kPlace = "/v1/artifacts/";
  if (request.method != "PUT" || response.status >= 300 || !request.target.starts_with(kPlace))
    return;
  const auto name = parse_fixed<Hash32>(std::string_view(request.target).substr(kPlace.size()));
  const auto who = parse_address(net::header_or_empty(request.headers, "Mizan-Account"));
  world_.expect(name && who, "an artifact of nobody was taken");
  if (name && who) promised_[*name].insert(*who);
}

/// What somebody was told to be stored is whole, and the sender's, after the power was lost too.
void ExchangeHost::check_artifacts() {
  const auto& artifacts = *service_->context().artifacts;
  for (const auto& [name, owners] : promised_) {
    std::string bytes;
    if (const auto opened = artifacts.open_file(name)) {
      const service::Descriptor file(opened->descriptor);
      bytes.resize(opened->size);
      const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
      bytes.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
    }
    const std::string artifact = "the artifact " + hex(name.view()).substr(0, 8);
    world_.expect(artifacts.has(name) && sha256(bytes) == name,
                  artifact + " was stored, and is lost with the power");
    for (const Address& owner : owners)
      world_.expect(artifacts.uploaded_by(name, owner), artifact + " has lost its owner");
  }
}

void ExchangeHost::kill(bool power_lost) {
  if (!up()) return;
  gone(power_lost);
  world_.scheduler.after(random_.between(20, random_.chance(2'000) ? 40'000 : 4'000),
                         [this] { start(); });
}

void ExchangeHost::pause(uint64_t ms) {
  paused_until_ms_ = world_.scheduler.now_ms() + ms;
  world_.trouble(Troubles::kEverywhere, ms);
  world_.scheduler.after(ms, [this] { soon(); });
}

UnixMs ExchangeHost::time() {
  return up() ? service_->context().time.now() : clock_.now();
}

void ExchangeHost::set_clock(int64_t by_ms) {
  clock_.wall_offset_ms += by_ms;
  if (by_ms >= 0) return;
  const uint64_t now = world_.scheduler.now_ms();
  slow_until_ms_ = std::max(slow_until_ms_, now) + 2 * static_cast<uint64_t>(-by_ms);
}

void ExchangeHost::soon() {
  if (soon_ || !up()) return;
  soon_ = true;
  // About what a group's sync takes: what arrives meanwhile is the next group.
  world_.scheduler.after(random_.between(0, 2), [this, life = life_] {
    if (life != life_) return;
    soon_ = false;
    step();
  });
}

void ExchangeHost::step() {
  if (!up() || paused()) return;
  const bool worked = service_->step();
  if (has_died()) return die();
  if (worked) {
    auditor_.follow(*journal_);
    if (on_step) on_step();
    soon();
  }
  arm();
}

bool ExchangeHost::has_died() const {
  return storage_.crashed() || service_->sequencer().failed() ||
         (desk_ && (desk_->is_dead() || service_->chain()->failure()));
}

void ExchangeHost::die() {
  dead_ = true;
  gone(world_.faults.strikes(Fault::power_loss, 5'000));
  world_.scheduler.after(random_.between(20, 4'000), [this] { start(); });
}

void ExchangeHost::arm() {
  const uint64_t now = world_.scheduler.now_ms();
  const auto idle = service_->idle_for(net::Milliseconds{250});
  const uint64_t at = now + std::max<uint64_t>(1, static_cast<uint64_t>(idle.count()));
  if (armed_at_ms_ > now && armed_at_ms_ <= at) return;
  armed_at_ms_ = at;
  world_.scheduler.after(at - now, [this, at, life = life_] {
    if (life != life_ || armed_at_ms_ != at) return;
    armed_at_ms_ = 0;
    step();
    if (up() && armed_at_ms_ == 0) arm();
  });
}

bool ExchangeHost::submit(exchange::Command command,
                          std::function<void(const Result<service::Applied>&)> done) {
  if (!up()) return false;
  if (const auto good = service_->context().verify(command); !good) {
    world_.expect(good.error().code == ErrorCode::not_found,
                  "an officer's command is not verified: " + good.error().message);
    return false;
  }
  service_->sequencer().submit(std::move(command), std::nullopt, std::move(done));
  soon();
  return true;
}

}  // namespace mizan::simulation
