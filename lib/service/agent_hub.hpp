// The agents' channel: one connected agent a provider.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/socket.hpp"
#include "service/context.hpp"
#include "service/lease_streams.hpp"

namespace mizan::service {

/// Whether a buyer's own meter may rest on it: it names a lease of its provider that is not over.
/// Names of leases that there are not cost nothing, so that one with many of them is not kept.
bool is_kept(const exchange::Heartbeat& heartbeat, const exchange::Exchange& exchange);

/// The agents that are connected, and what they are told. docs/PROTOCOL.md has the messages.
class AgentHub {
 public:
  AgentHub(Context& context, LeaseStreams& streams) : context_(context), streams_(streams) {}

  /// The handler of the socket of `provider`'s agent, who is authenticated. It takes the place of a
  /// connection that the provider had before.
  std::shared_ptr<net::SocketHandler> open(const Address& provider, const std::string& peer);
  /// On the sequencer's thread, with the exchange held: tells the agent concerned.
  void tell(const exchange::Event& event, const exchange::Exchange& exchange);
  /// The last heartbeat of `provider` that was taken since the start, as far as it `is_kept`.
  std::optional<exchange::Heartbeat> last_heartbeat(const Address& provider) const;

 private:
  class Session;
  void send(const Address& provider, const std::string& text);
  /// On the sequencer's thread.
  void keep(const exchange::Heartbeat& heartbeat);

  Context& context_;
  LeaseStreams& streams_;
  mutable std::mutex mutex_;
  std::map<Address, std::shared_ptr<net::Socket>> sockets_;
  std::map<Address, exchange::Heartbeat> heartbeats_;
};

}  // namespace mizan::service
