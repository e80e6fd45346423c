// Whose asks give way when all places for asks are taken.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "crypto/eip712_messages.hpp"

#include <array>
#include <set>
#include <string_view>
#include <utility>

namespace mizan::exchange {

/// An ask takes one for each started KiB of what it makes the exchange keep: its attributes, and 4
/// bytes for each node.
uint64_t places_of(const eip712::Ask& ask, std::string_view attributes);

/// How a provider stands with its asks.
struct Standing {
  bool record = false;  ///< some lease of it ended well; else it is a stranger
  bool live = false;
  UnixMs heard_at;      ///< looked at while it is silent
  uint64_t places = 0;  ///< of all its asks
  uint64_t idle = 0;    ///< of those that no lease holds: these may give way
  uint64_t leases = 0;  ///< that are not over
};

/// The order in which providers lose asks: who is silent before who is live; of the silent, whom
/// nobody heard for longest; of the live, who holds most. Strangers and those with a record have an
/// order each. It is derived from the state alone, and costs a few steps of a tree at each change.
class Places {
 public:
  struct Turn {
    bool live = false;
    uint64_t key = 0;
    Address provider;
    auto operator<=>(const Turn&) const = default;
  };

  void move(const Address& provider, const Standing& before, const Standing& after);

  uint64_t taken() const { return taken_[0] + taken_[1]; }
  /// By which strangers, or those with a record, hold more than their part of `all` places: a
  /// quarter and three quarters. What one side leaves free the other may use until it is wanted.
  uint64_t beyond_part(bool record, uint64_t all) const;
  const std::set<Turn>& turns(bool record) const { return turns_[record ? 1 : 0]; }
  /// Strangers without asks and leases, who was heard first in front: nothing is known of them but
  /// the nonces that they used.
  const std::set<std::pair<uint64_t, Address>>& blank() const { return blank_; }

 private:
  std::array<std::set<Turn>, 2> turns_;
  std::array<uint64_t, 2> taken_{};
  std::set<std::pair<uint64_t, Address>> blank_;
};

}  // namespace mizan::exchange
