// Random commands of several buyers, providers and a service, valid and not.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/policy_world.hpp"

#include <random>
#include <vector>

namespace mizan::test {

/// Looks at the exchange and makes up the next command. The same seed and the same answers give the
/// same commands.
class CoreDriver {
 public:
  explicit CoreDriver(uint64_t seed);
  /// The rule sets that SetPolicy may name: the empty one, and one with limits.
  exchange::RuleSets rules() const;
  exchange::Genesis genesis() const;
  /// The next command in its place; `live` are the leases that are not over.
  exchange::Sequenced next(const exchange::Exchange& core, const std::vector<LeaseId>& live);
  /// What became of it: ids for later commands.
  void heard(const exchange::Sequenced& sequenced, const exchange::Outcome& outcome);

 private:
  uint64_t pick(uint64_t n) { return random_() % n; }
  bool chance(uint64_t percent) { return pick(100) < percent; }
  Address somebody();
  UnixMs next_time(const exchange::Exchange& core);
  exchange::Command valid(const exchange::Exchange& core, const std::vector<LeaseId>& live);
  exchange::Command place_ask();
  void name_payees(exchange::PlaceAsk& ask);
  exchange::Command place_bid();
  exchange::Command cancel_ask(const exchange::Exchange& core);
  exchange::Command cancel_bids();
  exchange::Command set_policy();
  exchange::Command prove_facts();
  exchange::Command decide(const exchange::Exchange& core);
  exchange::Command list_party(const exchange::Exchange& core);
  exchange::Command file_licence();
  exchange::Command policy(const exchange::Exchange& core);
  exchange::Command heartbeat(const exchange::Exchange& core);
  exchange::Command voucher(const exchange::Exchange& core, const std::vector<LeaseId>& live);
  exchange::Command finalize(const exchange::Exchange& core);
  const exchange::Lease* some_lease(const exchange::Exchange& core,
                                    const std::vector<LeaseId>& live);
  void spoil(exchange::Command& command);

  std::mt19937_64 random_;
  Rules limits_;
  uint64_t now_ms_ = 1'800'000'000'000;
  uint64_t ask_nonce_ = 1;
  uint64_t bid_nonce_ = 1;
  uint64_t beats_ = 0;
  std::vector<OrderId> asks_;             // the last ones placed
  std::vector<exchange::PlaceBid> bids_;  // sent again at times
};

}  // namespace mizan::test
