// What each address may take of a server: connections, requests, memory. Internal to lib/net.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/server.hpp"
#include "net/stream.hpp"

#include <map>

namespace mizan::net {

/// Whom an address counts as: itself, or its /64 for IPv6, of which one host has as many as it
/// likes.
std::string peer_name(const asio::ip::address& address);

/// So many at once, then one an interval.
class Pace {
 public:
  using Clock = std::chrono::steady_clock;
  /// How long the one that comes at `now` has to wait; it is counted.
  Clock::duration next(Clock::time_point now, Clock::duration interval, uint32_t burst);
  /// As if nothing had come yet.
  bool fresh(Clock::time_point now) const { return due_ <= now; }

 private:
  Clock::time_point due_{};  // when all that came is paid for
};

/// One server's books. The I/O thread alone; outlives its shares.
class Peers {
 public:
  explicit Peers(const ServerOptions& options) : options_(options) {}

  size_t connections() const { return connections_; }
  size_t held_bytes() const { return held_; }

 private:
  friend class PeerShare;
  struct Peer {
    size_t connections = 0;
    size_t held = 0;
    Pace entries;
    Pace requests;
  };
  using Entry = std::map<std::string, Peer>::iterator;
  bool may_enter(Peer& peer, Pace::Clock::time_point now);
  void forget_idle(Pace::Clock::time_point now);

  const ServerOptions& options_;
  std::map<std::string, Peer> peers_;
  size_t connections_ = 0;
  size_t held_ = 0;
};

/// What one connection has of its address's part; it gives all back at its end.
class PeerShare {
 public:
  /// Without `entered()` the connection is one too many.
  PeerShare(Peers& peers, const std::string& peer);
  PeerShare(PeerShare&& other) noexcept
      : peers_(std::exchange(other.peers_, nullptr)),
        entry_(other.entry_),
        held_(std::exchange(other.held_, 0)) {}
  PeerShare& operator=(PeerShare&&) = delete;
  ~PeerShare();

  bool entered() const { return peers_ != nullptr; }
  const std::string& peer() const { return entry_->first; }
  /// How long the request (or message) that has come must wait until it is dealt with: an address
  /// that asks too often is slowed down, not refused. It weighs as much as `requests` small ones.
  Pace::Clock::duration next_request(uint32_t requests);
  /// From now on this connection keeps `bytes` in memory, all in all. False if that is more than
  /// its address, or all together, may have; what it kept before it still keeps.
  bool hold(size_t bytes);

 private:
  Peers* peers_ = nullptr;
  Peers::Entry entry_;
  size_t held_ = 0;
};

/// Waits as long as the connection's next request must.
asio::awaitable<void> wait_turn(PeerShare& share, uint32_t requests = 1);

}  // namespace mizan::net
