// Standing bids: highest rate first, then earliest, looked up by the chip they want.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "market/order.hpp"

#include <functional>
#include <map>
#include <set>

namespace mizan::market {

/// Not thread-safe.
class BidQueue {
 public:
  void add(const OrderId& id, Demand demand);
  void remove(const OrderId& id);
  const Demand* find(const OrderId& id) const;
  size_t size() const { return demands_.size(); }

  /// A bid's place in the order.
  struct Place {
    Rate rate;
    uint64_t sequence = 0;
    OrderId id;
    friend bool operator<(const Place& a, const Place& b) {
      if (a.rate != b.rate) return b.rate < a.rate;
      return a.sequence < b.sequence;
    }
  };

  /// Shows bids that would take `chip` at `rate` as far as chip and rate tell, best first, from the
  /// one behind `after` on, until `visit` returns true; returns where it stopped. The queue must
  /// not change meanwhile; between two scans it may.
  std::optional<Place> scan(const std::string& chip, Rate rate, const std::optional<Place>& after,
                            const std::function<bool(const OrderId&, const Demand&)>& visit) const;

 private:
  using Line = std::set<Place>;
  static std::string line_of(const Demand& demand);
  std::map<OrderId, Demand> demands_;
  std::map<std::string, Line> lines_;  // by the only chip of the query; "" for all others
};

}  // namespace mizan::market
