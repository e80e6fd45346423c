// A buyer in a simulated world: orders, cancels, asks, and asks again when nothing was heard.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "net/auth.hpp"
#include "simulation/agent_host.hpp"
#include "simulation/exchange_host.hpp"
#include "simulation/own_meter.hpp"

#include <boost/json/object.hpp>

#include <set>

namespace mizan::simulation {

class Buyer {
 public:
  Buyer(Surroundings& world, Network& network, ExchangeHost& exchange, Auditor& auditor,
        const std::string& name);

  /// Acts at random from now on, until `retire`.
  void begin();
  void retire();
  const Address& address() const { return key_.address(); }
  HostClock& clock() { return clock_; }
  Network::Place place() const { return place_; }

  /// Wants one small job done, on the provider of that name; over and over until it is. What the
  /// answers come to is in `wants`.
  void want(const std::string& provider);
  struct Want {
    std::string provider;
    LeaseId lease;
    bool done = false;
    std::string last;  ///< what was heard last
  };
  std::map<std::string, Want>& wants() { return wants_; }

 private:
  struct Sent {
    std::string target;
    std::string body;
    std::string idempotency;
    unsigned tries = 0;
    std::function<void(const json::object* answer, const Error& error)> heard;
  };
  void act();
  void place_bid();
  void cancel();
  void stop_lease();
  void look_around();
  void try_want(const std::string& provider);
  /// Sends until something is heard, within reason.
  void send(Sent sent);
  eip712::Bid new_bid(uint32_t units, uint64_t seconds, uint64_t max_rate);
  json::object spec(const Script& script, const std::string& query, uint32_t units, bool immediate,
                    bool outputs);
  std::string bid_body(eip712::Bid& bid, const json::object& spec) const;
  void took(const json::object& answer);

  Surroundings& world_;
  Network& network_;
  ExchangeHost& exchange_;
  Auditor& auditor_;
  const std::string name_;
  Random random_;
  HostClock clock_;
  SecretKey key_;
  net::Signer signer_;
  Network::Place place_;
  OwnMeter meter_;
  bool active_ = false;
  uint64_t nonce_ = 1;
  uint64_t requests_ = 0;
  std::vector<LeaseId> leases_;
  std::map<std::string, std::set<std::string>> answers_;  ///< leases by idempotency key
  std::map<std::string, Want> wants_;
};

}  // namespace mizan::simulation
