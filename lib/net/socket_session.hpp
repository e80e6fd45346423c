// One WebSocket connection's coroutines, the same for both of its ends. Internal to lib/net.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/peers.hpp"
#include "net/socket.hpp"
#include "net/stream.hpp"

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

namespace mizan::net {

using BeastRequest = beast::http::request<beast::http::string_body>;

// These take the I/O context weakly: it owns their frames, which must not own it.

/// Accepts the upgrade that `request` asks for and serves `handler` until the connection ends,
/// within its address's `share`.
asio::awaitable<void> serve_socket(std::weak_ptr<asio::io_context> io, Stream stream,
                                   const BeastRequest& request,
                                   std::shared_ptr<SocketHandler> handler, SocketOptions options,
                                   PeerShare& share);

/// Resolves, connects, upgrades and serves; `handler` hears of every failure.
asio::awaitable<void> connect_socket(std::weak_ptr<asio::io_context> io, Url url,
                                     std::string target, Headers headers,
                                     std::shared_ptr<SocketHandler> handler, SocketOptions options);

}  // namespace mizan::net
