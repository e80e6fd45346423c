// A provider in a simulated world: the real agent, on a machine and a network that fail.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "provider/agent.hpp"
#include "simulation/exchange_host.hpp"
#include "simulation/machine.hpp"

namespace mizan::simulation {

class AgentHost final : public provider::Link {
 public:
  AgentHost(Surroundings& world, Network& network, ExchangeHost& exchange, std::string name);
  ~AgentHost() override;

  void start();
  /// The agent dies without a word, with its machine or not, and starts again after `ms`.
  void kill(bool machine_too, uint64_t ms);
  bool up() const { return agent_ != nullptr; }

  const std::string& name() const { return name_; }
  const Address& address() const { return key_.address(); }
  Network::Place place() const { return place_; }
  uint32_t units() const { return config_.offer.capacity.units; }
  const Machine& machine() const { return machine_; }
  HostClock& clock() { return clock_; }
  /// Whether it was killed, or its machine stopped, at `since_ms` or later.
  bool died_since(uint64_t since_ms) const { return died_at_ms_ >= since_ms && died_at_ms_ != 0; }
  bool machine_died_since(uint64_t since_ms) const {
    return machine_died_at_ms_ >= since_ms && machine_died_at_ms_ != 0;
  }
  bool lost_a_write_of(const LeaseId& lease) const {
    return store_.has_failed("lease-" + hex(lease.view()));
  }
  /// It tells more time than its jobs took.
  bool lies() const { return lie_ != 1; }
  /// Of a match that it turned down: when, why, and the leases that it knew then; which ask it had
  /// signed last, and when it first sent that; when its ask could not be written last (0: never).
  struct TurnedDown {
    uint64_t at_ms = 0;
    std::string why;
    std::vector<provider::LeaseLine> known;
    OrderId ask;
    uint64_t asked_at_ms = 0;
    uint64_t unwritten_at_ms = 0;
  };
  const TurnedDown* turned_down(const LeaseId& lease) const {
    const auto found = turned_down_.find(lease);
    return found == turned_down_.end() ? nullptr : &found->second;
  }

  // Link.
  void connect() override;
  void send(std::string text) override;
  void close(const std::string& why) override;
  void post(uint64_t number, const std::string& target, std::string body) override;

 private:
  class Hearing;
  void open_socket(uint64_t attempt, uint64_t now_ms);
  void closed(uint64_t attempt, const Error& why);
  template <class F>
  void with_agent(F&& f);
  void check_reply(const std::string& text);
  std::string lied(const std::string& heartbeat) const;
  void hear(const provider::Notice& notice);
  void note_ask(const std::string& message);
  void arm();
  void store_artifact(const std::string& body, const Hash32& name,
                      std::function<void(Result<void>)> done);

  Surroundings& world_;
  Network& network_;
  ExchangeHost& exchange_;
  const std::string name_;
  Random random_;
  HostClock clock_;
  SecretKey key_;
  Network::Place place_;
  AgentStore store_;
  Machine machine_;
  provider::ExchangeFacts facts_;
  provider::AgentConfig config_;
  net::Signer signer_;
  std::unique_ptr<provider::Agent> agent_;
  std::shared_ptr<Connection> connection_;
  uint64_t attempt_ = 0;
  bool opened_ = false;
  unsigned failed_in_a_row_ = 0;  ///< attempts since the last connection
  uint64_t replies_ = 0;
  uint64_t life_ = 0;
  uint64_t boots_ = 1;
  uint64_t lie_ = 1;         ///< so many times what a job ran is told
  uint64_t died_at_ms_ = 0;  ///< last; 0: never
  uint64_t machine_died_at_ms_ = 0;
  uint64_t armed_at_ms_ = 0;
  std::map<LeaseId, TurnedDown> turned_down_;
  OrderId ask_;  ///< that it sent last
  uint64_t asked_at_ms_ = 0;
};

}  // namespace mizan::simulation
