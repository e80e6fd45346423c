// Whom the journal put on a list, what it proved and which rules it set: kept a second time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/exchange.hpp"

#include <map>
#include <set>
#include <vector>

namespace mizan::simulation {

/// Follows the commands that were taken, in the plainest way, and says of a deal that policy ended
/// whether it had a reason to.
class PolicyBooks {
 public:
  /// A command that was not refused, at the exchange's time and the world's.
  void take(const exchange::Command& command, UnixMs time, uint64_t now_ms);
  void take(const exchange::AccountFrozen& event);
  /// Whether it may lead to a review of deals.
  static bool is_policy(const exchange::Command& command);
  /// The units that are leased now, by buyer: what a review after this sums up.
  void count(std::map<Address, uint64_t> units) { units_ = std::move(units); }

  /// On a list now, or on one that blocks.
  bool is_listed(const Address& account) const { return listed(account, false); }
  bool is_blocked(const Address& account) const { return listed(account, true); }
  /// On a list at some time of the world within [from_ms, until_ms].
  bool was_listed(const Address& account, uint64_t from_ms, uint64_t until_ms) const;

  /// What speaks against this end of the deal, which `command` brought at `time`; empty: nothing.
  std::string against(const exchange::Lease& lease, const std::string& reason,
                      const exchange::Command& command, UnixMs time) const;

 private:
  struct Proof {
    Hash32 person;
    Hash32 group;
    bool good = false;  ///< of a country that no rule is about
    bool barred = false;
    uint64_t expires_at = 0;
  };
  struct Listed {
    exchange::Subject subject;
    std::string list;
    bool blocks = false;
    uint64_t from_ms = 0;
    uint64_t until_ms = ~uint64_t{0};  ///< that it was taken off, or put on with another effect
    bool in_force() const { return until_ms == ~uint64_t{0}; }
  };
  bool is_of(const Address& account, const exchange::Subject& subject) const;
  bool listed(const Address& account, bool blocks) const;
  bool concerns(const exchange::Command& command, const Address& account) const;
  bool is_kin(const Address& a, const Address& b) const;
  bool is_proven(const Address& account, UnixMs time) const;
  bool is_good(const Address& account, UnixMs time) const;
  bool is_barred(const Address& account, UnixMs time) const;

  std::map<Address, Proof> proofs_;
  std::vector<Listed> listings_;  ///< all that ever were, in the order of their making
  std::set<Address> frozen_;      ///< as the exchange told
  std::map<Address, uint64_t> units_;
  Hash32 rule_set_;
};

}  // namespace mizan::simulation
