// A simulated buyer's own meter: signs for what heartbeats cover, goes away, and takes it up again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/metering.hpp"
#include "net/auth.hpp"
#include "simulation/exchange_host.hpp"

namespace mizan::simulation {

/// As `mizan run --meter self` does it. In one world of five there are such buyers.
class OwnMeter {
 public:
  OwnMeter(Surroundings& world, Network& network, ExchangeHost& exchange, const net::Signer& signer,
           Network::Place place, const std::string& buyer);

  /// The meter that the bid of this nonce names.
  const Address& of_bid(uint64_t nonce) const;
  /// Meters the lease from now on, if it names this meter.
  void take(const LeaseId& lease, const eip712::Terms& terms);

 private:
  struct Own {
    eip712::Terms terms;
    std::optional<exchange::BuyerMeter> meter{};  ///< forgotten when the client is killed
    unsigned refused = 0;
  };
  void round(const LeaseId& id);
  void again(const LeaseId& id, uint64_t in_ms);
  void hear(const LeaseId& id, const json::object& metering);
  void post(const LeaseId& id, Money owed);

  Surroundings& world_;
  Network& network_;
  ExchangeHost& exchange_;
  const net::Signer& signer_;
  const Network::Place place_;
  Random mind_;
  const bool here_;
  const SecretKey key_;
  const Address exchanges_;
  std::map<LeaseId, Own> leases_;
};

}  // namespace mizan::simulation
