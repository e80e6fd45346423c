// An open WebSocket as both of its ends see it; a simulated network puts its own behind it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/http.hpp"

#include <functional>
#include <memory>

namespace mizan::net {

/// The sending side. Safe from every thread; nothing here waits. Held as long as anybody likes:
/// after the connection's end `send` does nothing.
class Socket {
 public:
  virtual ~Socket() = default;
  /// Queues one text message. A peer that reads too slowly for its queue's bound is cut off. `sent`
  /// is called once the message has gone to the system, never from within `send`: who has much to
  /// send waits for it.
  virtual void send(std::string text, std::function<void()> sent) = 0;
  void send(std::string text) { send(std::move(text), nullptr); }
  /// Sends what is queued, says goodbye with `reason` (at most 120 bytes), then closes.
  virtual void close(std::string reason) = 0;
};

/// The receiving side. Calls come one at a time: on_open first, on_close last and exactly once.
class SocketHandler {
 public:
  virtual ~SocketHandler() = default;
  virtual void on_open(std::shared_ptr<Socket> socket) = 0;
  /// The next message is read only after `done` was called (from any thread): whoever is busy slows
  /// its peer down and does not pile up messages.
  virtual void on_text(std::string text, std::function<void()> done) = 0;
  /// `reason` says why: unavailable when the other end went or was never reached, too_large, the
  /// server's own error when it refused the upgrade.
  virtual void on_close(const Error& reason) = 0;
  /// Of one message, if less than the connection's options say: who expects little keeps little.
  virtual size_t max_message_bytes() const { return SIZE_MAX; }
};

/// For `max_message_bytes` of who expects no message at all.
inline constexpr size_t kSilentPeerBytes = 4096;

struct SocketOptions {
  size_t max_message_bytes = 1 << 20;
  size_t max_queued_bytes = 8 << 20;  ///< unsent; beyond it the peer is cut off
  Milliseconds handshake_timeout{10'000};
  Milliseconds idle_timeout{20'000};  ///< without a byte from the peer; pings go out at half of it
};

/// Opens client sockets without waiting. `handler` hears on_close if the connection fails.
class Connector {
 public:
  virtual ~Connector() = default;
  virtual void connect(const Url& url, const std::string& target, const Headers& headers,
                       std::shared_ptr<SocketHandler> handler) = 0;
};

}  // namespace mizan::net
