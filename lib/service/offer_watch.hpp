// Watchers of offers: the list at once and on each change, at most once a second.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/socket.hpp"
#include "service/context.hpp"

#include <vector>

namespace mizan::service {

class OfferWatch {
 public:
  static constexpr size_t kMostOffers = 200;  ///< in one list

  explicit OfferWatch(Context& context) : context_(context) {}

  /// The handler of a socket that shows the offers of `query`; limit_exceeded past the bound of
  /// watchers.
  Result<std::shared_ptr<net::SocketHandler>> open(std::string query);
  /// About once a second, on any one thread: tells the watchers what changed.
  void tick();

 private:
  class Watcher;
  Context& context_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Watcher>> watchers_;
};

}  // namespace mizan::service
