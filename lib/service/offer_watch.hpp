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

  /// The handler of a socket that shows the offers of `query` to `peer`; limit_exceeded past the
  /// bounds of watchers.
  Result<std::shared_ptr<net::SocketHandler>> open(std::string query, std::string peer);
  /// About once a second: tells the watchers what changed. Does nothing while another thread still
  /// does it: many watchers of many offers take longer than that.
  void tick();

 private:
  class Watcher;
  void show_all();
  Context& context_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Watcher>> watchers_;
  std::atomic<bool> ticking_ = false;
};

}  // namespace mizan::service
