#include "simulation/world.hpp"

#include "base/bytes.hpp"
#include "simulation/authority.hpp"
#include "simulation/buyer.hpp"
#include "simulation/chain_host.hpp"
#include "simulation/inspector.hpp"
#include "simulation/rules.hpp"

#include <cstdio>
#include <filesystem>
#include <unistd.h>

namespace mizan::simulation {

void Surroundings::say(const std::string& who, const std::string& what) const {
  std::fprintf(stderr, "%9llu ms  %-9s %s\n", static_cast<unsigned long long>(scheduler.now_ms()),
               who.c_str(), what.c_str());
}

namespace {

/// How long a calm world may take to come to rest: the longest that a lease may take to be given
/// up is its end, its grace and a quarter of an hour.
constexpr uint64_t kRestMs = 45 * 60'000;

constexpr uint64_t kQuietMs = 20'000;  ///< for everybody to find the exchange again

class Folder {
 public:
  Folder() {
    const char* fast = "/dev/shm";
    std::string pattern =
        (std::filesystem::is_directory(fast) ? std::filesystem::path(fast)
                                             : std::filesystem::temp_directory_path()) /
        "mizan_sim_XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path;
};

class World {
 public:
  explicit World(const Options& options)
      : options_(options),
        surroundings_(options.seed),
        network_(surroundings_),
        auditor_(surroundings_, simulated_rules()),
        exchange_(surroundings_, network_, auditor_, simulated_rules(), folder_.path,
                  options.chain),
        inspector_(surroundings_, auditor_, exchange_),
        random_(surroundings_.random.fork("mischief")) {
    surroundings_.talks = options.talks;
    auditor_.on_record = options.on_record;
    const uint64_t agents = random_.between(1, 4);
    const uint64_t buyers = random_.between(1, 4);
    for (uint64_t i = 0; i < agents; ++i) {
      agents_.push_back(std::make_unique<AgentHost>(surroundings_, network_, exchange_,
                                                    "agent-" + std::to_string(i)));
      parties_.push_back(agents_.back()->address());
    }
    for (uint64_t i = 0; i <= buyers; ++i) {
      buyers_.push_back(std::make_unique<Buyer>(surroundings_, network_, exchange_, auditor_,
                                                i == 0 ? "witness" : "buyer-" + std::to_string(i)));
      parties_.push_back(buyers_.back()->address());
    }
    authority_ = std::make_unique<Authority>(surroundings_, exchange_, auditor_, parties_,
                                             buyers_[0]->address());
    if (options.chain) {
      chain_ = std::make_unique<ChainHost>(surroundings_, exchange_);
      authority_->deposit = [this](const Address& to, uint64_t amount) {
        chain_->deposit(to, amount);
      };
    }
    network_.on_answer = [this](const net::Request& request, const net::Response& response) {
      auditor_.read(request, response);
      exchange_.answered(request, response);
    };
    auditor_.on_over = [this](const exchange::Lease& lease) { over(lease); };
  }

  Report run() {
    exchange_.start();
    if (chain_) chain_->begin();
    authority_->begin();
    for (auto& agent : agents_) agent->start();
    for (size_t i = 1; i < buyers_.size(); ++i) buyers_[i]->begin();
    surroundings_.scheduler.after(5'000, [this] { mischief(); });
    Scheduler& scheduler = surroundings_.scheduler;
    while (fine() && scheduler.steps() < options_.steps) scheduler.step();
    if (fine()) rest();
    if (fine()) {
      inspector_.catch_up();
      auditor_.finish(exchange_.service()->state().unlocked());
      if (chain_) chain_->finish(parties_);
    }
    return report();
  }

 private:
  bool fine() const { return surroundings_.wrong.empty(); }

  /// The faults end; what is open comes to its end, and every provider serves once more.
  void rest() {
    Scheduler& scheduler = surroundings_.scheduler;
    surroundings_.faults.calm();
    for (size_t i = 1; i < buyers_.size(); ++i) buyers_[i]->retire();
    authority_->retire();
    // A clock that is behind the chain's lets nothing open in time, for as long as it is.
    if (chain_ && exchange_.clock().wall_offset_ms < 0)
      exchange_.set_clock(-exchange_.clock().wall_offset_ms);
    const uint64_t until = scheduler.now_ms() + kRestMs;
    // What the last faults left: restarts, partings, reconnections.
    // So long may a block take that was begun before.
    const uint64_t still = scheduler.now_ms() + (chain_ ? 250'000 : 0);
    const auto quiet = [&] {
      return exchange_.up() && scheduler.now_ms() >= still &&
             scheduler.now_ms() > surroundings_.troubles.last_until_ms() + kQuietMs;
    };
    while (fine() && scheduler.now_ms() < until && !quiet()) scheduler.step();
    surroundings_.expect(exchange_.up(), "the exchange did not come back");
    if (!fine()) return;
    authority_->grant(buyers_[0]->address(), uint64_t{1} << 60);
    for (const auto& agent : agents_) buyers_[0]->want(agent->name());
    while (fine() && scheduler.now_ms() < until && !at_rest()) scheduler.step();
    for (const auto& [name, want] : buyers_[0]->wants())
      surroundings_.expect(want.done,
                           name + " does not serve though nothing is wrong: " + want.last);
    for (const auto& agent : agents_)
      surroundings_.expect(agent->machine().jobs() == 0,
                           agent->name() + " keeps jobs whose leases are over");
  }
  bool at_rest() {
    for (const auto& [name, want] : buyers_[0]->wants())
      if (!want.done) return false;
    for (const auto& agent : agents_)
      if (agent->machine().jobs() != 0) return false;
    return auditor_.books().live.empty() && exchange_.up() && (!chain_ || chain_->at_rest());
  }

  void over(const exchange::Lease& lease) {
    for (const auto& agent : agents_)
      if (agent->address() == lease.terms.provider) inspector_.look_at(lease, *agent);
    for (auto& [name, want] : buyers_[0]->wants()) {
      if (want.lease != lease.id && want.lease != lease.held_as) continue;
      if (want.done || want.lease.is_zero()) continue;
      surroundings_.expect(lease.state == exchange::LeaseState::settled &&
                               lease.reason == "completed" && !lease.outputs.is_zero(),
                           name + " ended a job as " + lease.reason + " though nothing is wrong");
      want.done = true;
    }
  }

  void mischief() {
    Faults& faults = surroundings_.faults;
    if (faults.is_calm()) return;
    if (exchange_.up() && faults.strikes(Fault::exchange_crash, 100))
      exchange_.kill(faults.strikes(Fault::power_loss, 5'000));
    if (exchange_.up() && faults.strikes(Fault::exchange_pause, 100))
      exchange_.pause(random_.between(100, random_.chance(3'000) ? 40'000 : 4'000));
    if (faults.strikes(Fault::clock_jump, 50))
      exchange_.set_clock(static_cast<int64_t>(random_.below(120'000)) - int64_t{60'000});
    for (auto& agent : agents_) {
      if (faults.strikes(Fault::partition, 100))
        network_.part(agent->place(), random_.between(100, random_.chance(3'000) ? 90'000 : 9'000));
      if (!agent->up()) continue;
      if (faults.strikes(Fault::agent_crash, 100))
        agent->kill(false, random_.between(10, random_.chance(3'000) ? 90'000 : 5'000));
      else if (faults.strikes(Fault::machine_crash, 30))
        agent->kill(true, random_.between(20'000, 60'000));
      if (faults.strikes(Fault::clock_jump, 30))
        agent->clock().wall_offset_ms +=
            static_cast<int64_t>(random_.below(120'000)) - int64_t{60'000};
    }
    for (size_t i = 1; i < buyers_.size(); ++i) {
      if (faults.strikes(Fault::partition, 50))
        network_.part(buyers_[i]->place(), random_.between(100, 20'000));
      if (faults.strikes(Fault::clock_jump, 30))
        buyers_[i]->clock().wall_offset_ms =
            static_cast<int64_t>(random_.below(60'000)) - int64_t{30'000};
    }
    if (chain_ && chance_.chance(500)) chain_->meddle(parties_[chance_.below(parties_.size())]);
    surroundings_.scheduler.after(random_.between(100, 1'000), [this] { mischief(); });
  }

  Report report() {
    Report out;
    out.wrong = surroundings_.wrong;
    if (exchange_.service() != nullptr)
      out.hash = hex0x(exchange_.service()->state().unlocked().state_hash().view());
    out.steps = surroundings_.scheduler.steps();
    out.virtual_ms = surroundings_.scheduler.now_ms();
    out.commands = auditor_.commands();
    out.leases = auditor_.leases();
    for (size_t i = 0; i < kFaults; ++i)
      out.struck[i] = surroundings_.faults.struck(static_cast<Fault>(i));
    out.endings = auditor_.endings();
    return out;
  }

  const Options options_;
  Folder folder_;
  Surroundings surroundings_;
  Network network_;
  Auditor auditor_;
  ExchangeHost exchange_;
  Inspector inspector_;
  Random random_;
  Random chance_ = random_.fork("chain");
  std::vector<Address> parties_;
  std::vector<std::unique_ptr<AgentHost>> agents_;
  std::vector<std::unique_ptr<Buyer>> buyers_;  ///< the first is the witness
  std::unique_ptr<Authority> authority_;
  std::unique_ptr<ChainHost> chain_;  ///< where there is one
};

}  // namespace

Report run_world(const Options& options) {
  return World(options).run();
}

}  // namespace mizan::simulation
