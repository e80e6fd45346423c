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
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/container/static_vector.hpp>

#include <memory>

namespace boost::asio::ssl {
template <class Stream>
class stream;
}

namespace mizan::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using TlsContext = asio::ssl::context;

/// `co_await f(..., into(ec))`: an awaited operation that reports into `ec` and does not throw.
inline auto into(error_code& ec) {
  return asio::redirect_error(asio::use_awaitable, ec);
}

/// What an operation on a Stream calls at its end, whatever that is: with one type for all, Asio's
/// and OpenSSL's templates are compiled once, in stream.cpp.
template <class... Args>
class Completion {
 public:
  using executor_type = asio::any_io_executor;

  template <class Handler>
  Completion(Handler handler, const executor_type& otherwise)
      : executor_(asio::get_associated_executor(handler, otherwise)),
        call_(std::make_unique<Held<Handler>>(std::move(handler))) {}

  executor_type get_executor() const noexcept { return executor_; }
  void operator()(Args... args) { std::exchange(call_, nullptr)->run(args...); }

 private:
  struct Call {
    virtual ~Call() = default;
    virtual void run(Args... args) = 0;
  };
  template <class Handler>
  struct Held final : Call {
    explicit Held(Handler held) : handler(std::move(held)) {}
    void run(Args... args) override { std::move(handler)(args...); }
    Handler handler;
  };

  executor_type executor_;
  std::unique_ptr<Call> call_;
};

/// The one place that says what a connection is: TCP with timeouts, and TLS over it once a
/// handshake was made. Moved, not copied; never while an operation is under way.
class Stream {
 public:
  using next_layer_type = beast::tcp_stream;
  using executor_type = asio::any_io_executor;

  explicit Stream(asio::io_context& io);
  explicit Stream(const executor_type& executor);
  explicit Stream(Tcp::socket&& socket);
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  executor_type get_executor() { return tcp_->get_executor(); }
  next_layer_type& next_layer() { return *tcp_; }
  const next_layer_type& next_layer() const { return *tcp_; }
  Tcp::socket& socket() { return tcp_->socket(); }
  void expires_after(std::chrono::milliseconds time) { tcp_->expires_after(time); }
  void expires_never() { tcp_->expires_never(); }
  bool has_tls() const { return tls_ != nullptr; }

  /// Put TLS over the connection, within the time that was set.
  asio::awaitable<error_code> accept_tls(asio::ssl::context& context);
  /// The other end is checked to be `host`, a name or an address; on failure `verify_result` says
  /// what was wrong with its certificate (X509_V_OK if something else was).
  asio::awaitable<error_code> connect_tls(asio::ssl::context& context, const std::string& host,
                                          long& verify_result);
  /// Says that nothing more will be sent, so that the peer can tell the end from a cut.
  asio::awaitable<void> finish();

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, size_t)>(
        [this](auto handler, const Buffers& into_buffers) {
          read_some(first_of<asio::mutable_buffer>(into_buffers),
                    Transferred(std::move(handler), get_executor()));
        },
        token, buffers);
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, size_t)>(
        [this](auto handler, const Buffers& from_buffers) {
          write_some(first_of<asio::const_buffer>(from_buffers),
                     Transferred(std::move(handler), get_executor()));
        },
        token, buffers);
  }
  /// How a WebSocket over a Stream ends; Beast finds it by its argument.
  template <class Handler>
  friend void async_teardown(beast::role_type role, Stream& stream, Handler&& handler) {
    stream.tear_down(role,
                     Completion<error_code>(std::forward<Handler>(handler), stream.get_executor()));
  }

 private:
  using Tls = asio::ssl::stream<next_layer_type&>;
  using Transferred = Completion<error_code, size_t>;
  template <class Buffer>
  using Buffers8 = boost::container::static_vector<Buffer, 8>;

  template <class Buffer, class Buffers>
  static Buffers8<Buffer> first_of(const Buffers& buffers) {
    Buffers8<Buffer> out;
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto at = asio::buffer_sequence_begin(buffers); at != end && out.size() < 8; ++at)
      if (Buffer buffer = *at; buffer.size() != 0) out.push_back(buffer);
    return out;
  }
  void read_some(const Buffers8<asio::mutable_buffer>& buffers, Transferred done);
  void write_some(const Buffers8<asio::const_buffer>& buffers, Transferred done);
  void tear_down(beast::role_type role, Completion<error_code> done);

  std::unique_ptr<next_layer_type> tcp_;
  std::unique_ptr<Tls> tls_;  // over *tcp_
};

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
