// What the book knows of asks and bids, and how long a lease of theirs would be.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/money.hpp"
#include "market/query.hpp"

#include <optional>
#include <vector>

namespace mizan::market {

inline constexpr u128 kMostRate = 1'000'000'000'000'000;  ///< $1,000,000 a unit-second

/// N identical nodes for lease. The rate is at most kMostRate; attributes hold units, nodes, rate,
/// notice_s and chip too, as queries see them.
struct Ask {
  OrderId id;
  Address provider;
  uint64_t sequence = 0;  ///< of the command that placed it: its place in time
  Rate rate;
  uint32_t nodes = 0;
  uint32_t units_per_node = 0;
  uint32_t min_units = 0;  ///< the smallest slice of a node
  uint64_t from = 0;       ///< seconds since 1970, as are all times here; leases start in
  uint64_t until = 0;      ///< [from, until) and end by then
  uint64_t min_seconds = 0;
  uint64_t max_seconds = 0;
  bool interruptible = false;
  Attributes attributes;
};

/// What a bid wants: nodes x units of a node that the query holds for.
struct Demand {
  Address buyer;
  uint64_t sequence = 0;
  Rate max_rate;
  uint32_t nodes = 0;
  uint32_t units = 0;  ///< of each node
  uint64_t max_seconds = 0;
  Money max_total;
  bool interruptible = false;  ///< takes an offer that may be interrupted
  Query query;
  std::vector<Address> excluded;  ///< providers that turned this bid down
};

/// An ask that fits a demand.
struct Fill {
  OrderId ask;
  Rate rate;  ///< the resting order's
  uint64_t seconds = 0;
  std::vector<uint32_t> nodes;  ///< of the ask, ascending; nodes.size() = demand.nodes
};

/// min(demand.max_seconds, floor(max_total / (rate x nodes x units)), most); at a rate of 0 money
/// sets no limit.
uint64_t lease_seconds(const Demand& demand, Rate rate, uint64_t most);

}  // namespace mizan::market
