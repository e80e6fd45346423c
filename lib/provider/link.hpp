// Link: an agent's way to its exchange, real or simulated.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace mizan::provider {

/// Calls return at once, come from one thread, and are answered through the agent's on_... calls,
/// never from within the call. A message may be lost with the connection, never altered.
class Link {
 public:
  virtual ~Link() = default;
  /// Answered by on_open or on_close.
  virtual void connect() = 0;
  /// Sends one JSON text message; does nothing while there is no connection.
  virtual void send(std::string text) = 0;
  /// Ends the connection; answered by on_close.
  virtual void close(const std::string& why) = 0;
  /// POST of a JSON body over HTTP; answered by on_posted with the same number.
  virtual void post(uint64_t number, const std::string& target, std::string body) = 0;
};

}  // namespace mizan::provider
