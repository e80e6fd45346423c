// The exchange in a simulated world: the real service, killed and started again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "service/service.hpp"
#include "simulation/auditor.hpp"
#include "simulation/desk_host.hpp"
#include "simulation/disk.hpp"
#include "simulation/network.hpp"
#include "simulation/storage.hpp"

namespace mizan::simulation {

/// Work in the order of its posting, or a little out of it, as threads would do it.
class Pool final : public service::Executor {
 public:
  explicit Pool(Surroundings& world) : world_(world), random_(world.random.fork("pool")) {}
  void post(std::function<void()> work) override {
    const uint64_t number = next_++;
    waiting_.emplace(number, std::move(work));
    world_.scheduler.after(random_.below(2), [this, number] {
      const auto found = waiting_.extract(number);
      if (found.empty()) return;
      found.mapped()();
      if (on_work) on_work();
    });
  }
  /// What waits is never done: the program is dead.
  void drop() { waiting_.clear(); }
  std::function<void()> on_work;

 private:
  Surroundings& world_;
  Random random_;
  uint64_t next_ = 0;
  std::map<uint64_t, std::function<void()>> waiting_;
};

class ExchangeHost {
 public:
  ExchangeHost(Surroundings& world, Network& network, Auditor& auditor,
               const exchange::RuleSets& rules, const std::string& folder, bool on_chain);
  ~ExchangeHost();

  void start();
  bool up() const { return service_ != nullptr && !dead_; }
  /// The program ends without a word, and starts again after a while.
  void kill(bool power_lost);
  /// It stands still for so long.
  void pause(uint64_t ms);
  bool paused() const { return paused_until_ms_ > world_.scheduler.now_ms(); }
  HostClock& clock() { return clock_; }
  /// As it would answer it: what parties sign their requests by.
  UnixMs time();
  /// Sets its wall clock; after a step back its time goes at half the speed for a while.
  void set_clock(int64_t by_ms);
  bool was_slow_since(uint64_t since_ms) const { return slow_until_ms_ >= since_ms; }

  /// An officer's or issuer's command, as a route would submit it. `done` hears nothing if the
  /// exchange dies first; false if it is down.
  bool submit(exchange::Command command, std::function<void(const Result<service::Applied>&)> done);

  /// Where it settles; null on credits.
  BlockChain* chain() { return desk_ ? &desk_->chain() : nullptr; }
  /// Called when it has taken commands.
  std::function<void()> on_step;

  /// What somebody was told with an acknowledgement: a buyer's answer, or an agent's reply.
  void told(const json::value& answer) { auditor_.told(answer, domain_, keys_.identity.address()); }
  /// An artifact that it has said to have is promised.
  void answered(const net::Request& request, const net::Response& response);
  service::Service* service() { return service_.get(); }
  const service::ExchangeKeys& keys() const { return keys_; }
  const SecretKey& operator_key() const { return operator_key_; }
  const eip712::Domain& domain() const { return domain_; }
  const service::ServiceConfig& config() const { return config_; }

 private:
  void step();
  void soon();
  void arm();
  bool has_died() const;
  void die();
  void gone(bool power_lost);
  void lose_logs();
  void check_artifacts();

  Surroundings& world_;
  Network& network_;
  Auditor& auditor_;
  Random random_;
  HostClock clock_;
  service::ExchangeKeys keys_;
  SecretKey operator_key_;
  eip712::Domain domain_;
  service::ServiceConfig config_;
  service::Log log_;
  Pool pool_;
  Storage storage_;
  Disk disk_;
  std::map<Hash32, std::set<Address>> promised_;  ///< artifacts, and who sent them
  std::unique_ptr<DeskHost> desk_;                ///< of kind evm alone
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<service::Service> service_;
  bool files_at_risk_ = false;  ///< the machine lost power: what was not synced may be lost
  bool dead_ = false;           ///< killed amid a step, which has yet to return
  bool soon_ = false;
  uint64_t armed_at_ms_ = 0;  ///< of the next timer; 0: none
  uint64_t paused_until_ms_ = 0;
  uint64_t slow_until_ms_ = 0;
  uint64_t down_since_ms_ = 0;
  uint64_t life_ = 0;
};

}  // namespace mizan::simulation
