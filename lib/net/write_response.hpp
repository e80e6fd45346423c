// A server's answer on its way out. Internal to lib/net.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/http.hpp"
#include "net/stream.hpp"

namespace mizan::net {

/// Sends the answer, each 64 KiB of it within `timeout`. Whether the connection may go on.
asio::awaitable<bool> write_response(Stream& stream, Response response, unsigned version,
                                     bool keep_alive, Milliseconds timeout);

}  // namespace mizan::net
