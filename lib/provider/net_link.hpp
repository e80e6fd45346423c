// NetLink: an agent's link over HTTP and WebSocket.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/client.hpp"
#include "net/websocket.hpp"
#include "provider/exchange_facts.hpp"
#include "provider/link.hpp"
#include "provider/loop.hpp"

#include <atomic>
#include <memory>
#include <thread>

namespace mizan::provider {

/// What a link tells, on the loop's thread.
struct LinkEvents {
  std::function<void()> on_open;
  std::function<void(std::string_view)> on_text;
  std::function<void(const Error&)> on_close;
  std::function<void(uint64_t, const Result<void>&)> on_posted;
};

/// Before each connection it asks the exchange who it is and what time it has: another identity
/// than that of `facts` is refused, and requests are signed by the exchange's clock, so that a
/// wrong one here does no harm.
class NetLink final : public Link {
 public:
  NetLink(net::Url url, ExchangeFacts facts, std::shared_ptr<const net::Signer> signer, Loop& loop,
          LinkEvents events);
  /// Nothing is told after it.
  ~NetLink() override;

  void connect() override;
  void send(std::string text) override;
  void close(const std::string& why) override;
  void post(uint64_t number, const std::string& target, std::string body) override;

 private:
  class Handler;
  void open_socket(uint64_t attempt, uint64_t now_ms);
  void closed(uint64_t attempt, const Error& why);

  net::Url url_;
  ExchangeFacts facts_;
  std::shared_ptr<const net::Signer> signer_;
  Loop& loop_;
  LinkEvents events_;
  std::shared_ptr<net::Socket> socket_;  ///< of the loop's thread
  uint64_t attempt_ = 0;  ///< of the loop's thread: what older ones tell is passed over
  net::IoThread io_;
  Loop http_;  ///< blocking calls, one after the other
  std::thread http_thread_;
};

}  // namespace mizan::provider
