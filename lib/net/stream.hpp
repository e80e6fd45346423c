// The byte stream under every connection, and how other threads wake its coroutine. Heavy: Beast
// and Asio; included by this room's few .cpp files only.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <memory>

namespace mizan::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

/// The one place that says what a connection is: today plain TCP with timeouts.
using Stream = beast::tcp_stream;

/// `co_await f(..., into(ec))`: an awaited operation that reports into `ec` and does not throw.
inline auto into(error_code& ec) {
  return asio::redirect_error(asio::use_awaitable, ec);
}

/// Lets any thread wake the one coroutine that waits here. A wake before the wait is not lost; many
/// before it count once. Outlives its I/O thread harmlessly.
class Wake : public std::enable_shared_from_this<Wake> {
 public:
  explicit Wake(const std::weak_ptr<asio::io_context>& io) : io_(io) {}

  void notify() {
    const auto io = io_.lock();
    if (!io) return;
    asio::dispatch(*io, [self = shared_from_this()] {
      self->notified_ = true;
      if (self->timer_) self->timer_->cancel();
    });
  }
  /// On the I/O thread.
  asio::awaitable<void> wait() {
    if (!notified_) {
      asio::steady_timer timer(co_await asio::this_coro::executor,
                               asio::steady_timer::time_point::max());
      const Registration registration(*this, timer);
      error_code ec;
      co_await timer.async_wait(into(ec));
    }
    notified_ = false;
  }

 private:
  /// Takes the timer out again also when the coroutine's frame is destroyed in mid-wait.
  struct Registration {
    Registration(Wake& wake_, asio::steady_timer& timer) : wake(wake_) { wake.timer_ = &timer; }
    ~Registration() { wake.timer_ = nullptr; }
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;
    Wake& wake;
  };

  std::weak_ptr<asio::io_context> io_;
  asio::steady_timer* timer_ = nullptr;
  bool notified_ = false;
};

/// What a failed network operation means to a caller: unavailable, with the system's words.
inline Error network_error(std::string what, const error_code& ec) {
  return Error{ErrorCode::unavailable, std::move(what) + ": " + ec.message(), {}};
}

}  // namespace mizan::net
