// WebSocket clients: asynchronous for the agent, blocking for the command line.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/socket.hpp"

namespace mizan::net {

/// A thread of its own that carries client sockets; handlers are called on it. Its end closes every
/// socket and joins the thread; handlers hear no more after that.
class IoThread final : public Connector {
 public:
  explicit IoThread(SocketOptions options = {});
  ~IoThread() override;
  void connect(const Url& url, const std::string& target, const Headers& headers,
               std::shared_ptr<SocketHandler> handler) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A blocking WebSocket. One thread may read while others write.
class WebSocket {
 public:
  static Result<WebSocket> connect(const Url& url, const std::string& target,
                                   const Headers& headers = {},
                                   Milliseconds timeout = Milliseconds{10'000},
                                   SocketOptions options = {});
  WebSocket(WebSocket&&) noexcept;
  WebSocket& operator=(WebSocket&&) noexcept;
  ~WebSocket();

  /// The next text message; nothing when `timeout` passed without one; an error once the connection
  /// has ended (after all that came before was read).
  Result<std::optional<std::string>> read(Milliseconds timeout);
  void write(std::string text);  ///< queued; an error shows at the next read
  void close();
  /// Makes a read that waits, in any thread, return nothing at once. Safe in a signal's thread, not
  /// in a signal handler.
  void interrupt();

 private:
  struct Impl;
  explicit WebSocket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mizan::net
