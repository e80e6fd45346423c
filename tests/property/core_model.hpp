// A plain model of the money and the units, fed by events alone.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/exchange.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace mizan::test {

/// Follows what the exchange says that it did and keeps the books a second time, in the plainest
/// way. Every contradiction is a sentence in `faults`.
class CoreModel {
 public:
  void granted(const Address& to, u128 amount);
  void listed(const OrderId& id, const eip712::Ask& ask);
  /// `core` is the state after the command that made the events.
  void follow(const exchange::Exchange& core, const std::vector<exchange::Event>& events);
  /// All balances, all units: against the exchange's readers.
  void compare(const exchange::Exchange& core);

  u128 balance(const Address& account) const {
    const auto found = balances_.find(account);
    return found == balances_.end() ? 0 : found->second;
  }
  u128 escrowed(const Address& account) const {
    u128 sum = 0;
    for (const auto& [id, held] : held_)
      if (held.buyer == account) sum += held.escrow;
    return sum;
  }

  std::vector<std::string> faults;
  uint64_t matches = 0;
  uint64_t undone = 0;
  uint64_t held_deals = 0;
  uint64_t approved = 0;
  uint64_t stopped_for_listing = 0;
  uint64_t settled = 0;
  uint64_t failed = 0;
  uint64_t displaced = 0;  ///< asks that gave way to others
  std::vector<LeaseId> live;  ///< not over

 private:
  struct Ask {
    eip712::Ask ask;
    std::vector<uint32_t> used;
  };
  struct Held {
    Address buyer;
    Address provider;
    OrderId ask;
    std::vector<uint32_t> nodes;
    uint32_t units = 0;
    u128 escrow = 0;
    bool holds_units = true;
  };
  void expect(bool holds, const std::string& what);
  void taken(const exchange::Exchange& core, const LeaseId& id);
  void renamed(const exchange::Approved& event);
  void funded(const exchange::Exchange& core, const LeaseId& id);
  void displace(const OrderId& id);
  void undo(const LeaseId& id);
  void closed(const exchange::Exchange& core, const LeaseId& id);
  void free_units(Held& held);

  std::map<Address, u128> balances_;
  std::map<OrderId, Ask> asks_;  // also those that left the book: leases still hold their nodes
  std::map<LeaseId, Held> held_;
  std::set<std::pair<Address, uint64_t>> spent_;  // nonces of leases that were not undone
  u128 granted_ = 0;
  u128 fees_ = 0;
};

}  // namespace mizan::test
