// Operator, officer and issuer of a simulated world: money, rules, lists, licences, credentials.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "simulation/exchange_host.hpp"

namespace mizan::simulation {

class Authority {
 public:
  Authority(Surroundings& world, ExchangeHost& exchange, Auditor& auditor,
            std::vector<Address> parties, const Address& witness);

  void begin();
  /// Ends what stands in the way of rest: lists are emptied, held deals are decided, everybody has
  /// good credentials. Goes on until nothing is held.
  void retire();
  /// Grants until it is taken.
  /// Where money is on a chain: instead of a grant.
  std::function<void(const Address&, uint64_t)> deposit;
  void grant(const Address& to, uint64_t amount);
  void prove(const Address& account, bool good);

 private:
  void act();
  void tidy();
  void set_policy(bool plain);
  void decide(bool approve);
  void list(const exchange::Subject* subject);
  void file_licence();
  template <class Message>
  Signature sign(const Message& message) const {
    return eip712::sign(exchange_.domain(), message, exchange_.operator_key());
  }
  uint64_t deadline() const { return auditor_.core().now().seconds() + 600; }

  Surroundings& world_;
  ExchangeHost& exchange_;
  Auditor& auditor_;
  Random random_;
  const std::vector<Address> parties_;
  const Address witness_;  ///< who is nobody else's person
  uint64_t nonce_ = 1;
  bool active_ = false;
};

}  // namespace mizan::simulation
