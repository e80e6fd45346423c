// The client's live view of a lease: its changes and its log.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/socket.hpp"
#include "service/context.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>

namespace mizan::service {

/// Everybody who follows a lease.
class LeaseStreams {
 public:
  explicit LeaseStreams(Context& context) : context_(context) {}

  /// A socket's handler that shows `lease` and its log from `offset` on.
  std::shared_ptr<net::SocketHandler> open(const LeaseId& lease, uint64_t offset);
  /// On the sequencer's thread: the lease's record changed.
  void lease_changed(const exchange::Lease& lease);
  /// A held lease was approved and has another id from now on.
  void renamed(const LeaseId& held, const LeaseId& lease);
  /// From any thread: the log grew.
  void log_grew(const LeaseId& lease);

 private:
  class Stream;
  std::vector<std::shared_ptr<Stream>> followers(const LeaseId& lease);

  Context& context_;
  std::mutex mutex_;
  std::multimap<LeaseId, std::weak_ptr<Stream>> streams_;
};

}  // namespace mizan::service
