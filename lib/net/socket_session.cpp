#include "net/socket_session.hpp"

#include "base/utf8.hpp"
#include "net/tls_context.hpp"

#include <boost/asio/connect.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include <deque>
#include <mutex>

namespace mizan::net {
namespace {

namespace websocket = beast::websocket;
namespace http = beast::http;
using WebSocketStream = websocket::stream<Stream>;

constexpr size_t kMessagePiece = 16 << 10;

struct Message {
  std::string text;
  std::function<void()> sent;
};

/// What the owner of the socket and the connection's coroutines share.
struct Shared {
  explicit Shared(const std::weak_ptr<asio::io_context>& io_)
      : io(io_), wake(std::make_shared<Wake>(io_)), read_on(std::make_shared<Wake>(io_)) {}

  /// Closes the stream on its thread, also under a write that the peer does not take.
  void cut_off() {
    if (const auto alive = io.lock()) asio::dispatch(*alive, close_stream);
  }

  const std::weak_ptr<asio::io_context> io;
  std::function<void()> close_stream;

  const std::shared_ptr<Wake> wake;     ///< something to send, or an end
  const std::shared_ptr<Wake> read_on;  ///< the last message was dealt with
  std::mutex mutex;
  std::deque<Message> queue;
  size_t queued_bytes = 0;
  bool closing = false;   ///< close after what is queued
  bool overflow = false;  ///< cut off: too much is queued
  bool ended = false;
  std::string goodbye;
};

class QueuedSocket final : public Socket {
 public:
  QueuedSocket(std::shared_ptr<Shared> shared, size_t max_queued_bytes)
      : shared_(std::move(shared)), max_queued_bytes_(max_queued_bytes) {}
  ~QueuedSocket() override { close("the owner let go"); }

  using Socket::send;
  void send(std::string text, std::function<void()> sent) override {
    bool overflow = false;
    {
      const std::lock_guard lock(shared_->mutex);
      if (shared_->ended || shared_->closing || shared_->overflow) return;
      shared_->queued_bytes += text.size();
      overflow = shared_->overflow = shared_->queued_bytes > max_queued_bytes_;
      if (!overflow) shared_->queue.push_back({std::move(text), std::move(sent)});
    }
    if (overflow)
      shared_->cut_off();
    else
      shared_->wake->notify();
  }
  void close(std::string reason) override {
    {
      const std::lock_guard lock(shared_->mutex);
      if (shared_->ended || shared_->closing) return;
      shared_->closing = true;
      shared_->goodbye = printable_utf8(std::string_view(reason).substr(0, 120));
    }
    shared_->wake->notify();
  }

 private:
  std::shared_ptr<Shared> shared_;
  const size_t max_queued_bytes_;
};

/// The stream lives as long as its two coroutines, and no longer: it must not outlive the I/O.
struct Connection {
  Connection(Stream stream, std::shared_ptr<Shared> shared_, const SocketOptions& options_)
      : ws(std::move(stream)), shared(std::move(shared_)), options(options_) {}

  static std::shared_ptr<Connection> make(Stream stream, const std::weak_ptr<asio::io_context>& io,
                                          const SocketOptions& options) {
    auto connection =
        std::make_shared<Connection>(std::move(stream), std::make_shared<Shared>(io), options);
    connection->shared->close_stream = [weak = std::weak_ptr(connection)] {
      if (const auto alive = weak.lock()) beast::get_lowest_layer(alive->ws).close();
    };
    return connection;
  }

  WebSocketStream ws;
  std::shared_ptr<Shared> shared;
  SocketOptions options;
};

void configure(WebSocketStream& ws, const SocketOptions& options) {
  // The stream's own timeouts replace those of the TCP stream under it.
  beast::get_lowest_layer(ws).expires_never();
  websocket::stream_base::timeout timeout{};
  timeout.handshake_timeout = options.handshake_timeout;
  timeout.idle_timeout = options.idle_timeout;
  timeout.keep_alive_pings = true;
  ws.set_option(timeout);
  ws.read_message_max(options.max_message_bytes);
  ws.text(true);
  ws.auto_fragment(false);
}

asio::awaitable<void> write_queue(std::shared_ptr<Connection> connection) {
  Shared& shared = *connection->shared;
  error_code ec;
  while (true) {
    std::optional<Message> message;
    std::optional<std::string> goodbye;
    {
      const std::lock_guard lock(shared.mutex);
      if (shared.ended || shared.overflow) co_return;
      if (!shared.queue.empty()) {
        message = std::move(shared.queue.front());
        shared.queue.pop_front();
      } else if (shared.closing) {
        goodbye = shared.goodbye;
      }
    }
    if (goodbye) {
      co_await connection->ws.async_close(
          websocket::close_reason(websocket::close_code::normal, *goodbye), into(ec));
      co_return;
    }
    if (!message) {
      co_await shared.wake->wait();
      continue;
    }
    co_await connection->ws.async_write(asio::buffer(message->text), into(ec));
    if (ec) break;
    {
      const std::lock_guard lock(shared.mutex);
      shared.queued_bytes -= message->text.size();
    }
    if (message->sent) message->sent();
  }
  // The reading coroutine sees the closed stream and tells the handler.
  beast::get_lowest_layer(connection->ws).close();
}

/// Reads one message in pieces, each of which counts against the address's memory (if `share` is
/// given: at a server).
asio::awaitable<Result<void>> read_message(Connection& connection, beast::flat_buffer& buffer,
                                           PeerShare* share, error_code& ec) {
  do {
    co_await connection.ws.async_read_some(buffer, kMessagePiece, into(ec));
    if (ec) co_return Result<void>{};
    if (share != nullptr && !share->hold(buffer.size()))
      co_return fail(ErrorCode::limit_exceeded,
                     "this address sends too many large messages at once; try again");
  } while (!connection.ws.is_message_done());
  if (share != nullptr) co_await wait_turn(*share);
  co_return Result<void>{};
}

asio::awaitable<Error> read_all(std::shared_ptr<Connection> connection,
                                std::shared_ptr<SocketHandler> handler, PeerShare* share) {
  beast::flat_buffer buffer;
  error_code ec;
  while (true) {
    const auto read = co_await read_message(*connection, buffer, share, ec);
    if (!read) co_return read.error();
    if (ec) break;
    std::string text = beast::buffers_to_string(buffer.data());
    buffer.consume(buffer.size());
    if (buffer.capacity() > (64 << 10)) buffer.shrink_to_fit();
    if (!connection->ws.got_text())
      co_return Error{ErrorCode::invalid_argument, "messages are JSON text, not binary", {}};
    handler->on_text(std::move(text),
                     [read_on = connection->shared->read_on] { read_on->notify(); });
    co_await connection->shared->read_on->wait();
    if (share != nullptr) share->hold(0);
  }
  if (ec == websocket::error::message_too_big || ec == websocket::error::buffer_overflow)
    co_return Error{ErrorCode::too_large, "a message is larger than this connection takes", {}};
  {
    const std::lock_guard lock(connection->shared->mutex);
    if (connection->shared->overflow)
      co_return Error{ErrorCode::limit_exceeded, "the other end reads too slowly", {}};
  }
  if (ec == websocket::error::closed) {
    const std::string reason(connection->ws.reason().reason.c_str());
    co_return Error{ErrorCode::unavailable,
                    reason.empty() ? "the other end closed" : "the other end closed: " + reason,
                    {}};
  }
  co_return network_error("the connection broke", ec);
}

asio::awaitable<void> run_session(std::shared_ptr<Connection> connection,
                                  std::shared_ptr<SocketHandler> handler, PeerShare* share) {
  asio::co_spawn(co_await asio::this_coro::executor, write_queue(connection), asio::detached);
  handler->on_open(
      std::make_shared<QueuedSocket>(connection->shared, connection->options.max_queued_bytes));
  const Error reason = co_await read_all(connection, handler, share);
  {
    const std::lock_guard lock(connection->shared->mutex);
    connection->shared->ended = true;
    connection->shared->queue.clear();
  }
  connection->shared->wake->notify();
  handler->on_close(reason);
}

}  // namespace

asio::awaitable<void> serve_socket(std::weak_ptr<asio::io_context> io, Stream stream,
                                   const BeastRequest& request,
                                   std::shared_ptr<SocketHandler> handler, SocketOptions options,
                                   PeerShare& share) {
  options.max_message_bytes = std::min(options.max_message_bytes, handler->max_message_bytes());
  const auto connection = Connection::make(std::move(stream), io, options);
  configure(connection->ws, options);
  error_code ec;
  co_await connection->ws.async_accept(request, into(ec));
  if (ec) {
    handler->on_close(network_error("the WebSocket's handshake failed", ec));
    co_return;
  }
  co_await run_session(connection, std::move(handler), &share);
}

asio::awaitable<void> connect_socket(std::weak_ptr<asio::io_context> io, Url url,
                                     std::string target, Headers headers,
                                     std::shared_ptr<SocketHandler> handler,
                                     SocketOptions options) {
  std::shared_ptr<TlsContext> tls;
  if (url.tls) {
    auto made = client_tls(url.ca);
    if (!made) {
      handler->on_close(made.error());
      co_return;
    }
    tls = *std::move(made);
  }
  const auto executor = co_await asio::this_coro::executor;
  error_code ec;
  Tcp::resolver resolver(executor);
  const auto addresses =
      co_await resolver.async_resolve(url.host, std::to_string(url.port), into(ec));
  if (ec) {
    handler->on_close(network_error("cannot find " + url.host, ec));
    co_return;
  }
  Stream stream(executor);
  stream.expires_after(options.handshake_timeout);
  co_await stream.next_layer().async_connect(addresses, into(ec));
  if (ec) {
    handler->on_close(network_error("cannot connect to " + url.authority(), ec));
    co_return;
  }
  if (tls) {
    if (auto secured = co_await secure_client(stream, *tls, url); !secured) {
      handler->on_close(secured.error());
      co_return;
    }
  }
  error_code ignored;
  stream.socket().set_option(Tcp::no_delay(true), ignored);
  const auto connection = Connection::make(std::move(stream), io, options);
  configure(connection->ws, options);
  connection->ws.set_option(
      websocket::stream_base::decorator([&headers](websocket::request_type& request) {
        for (const auto& [name, value] : headers) request.set(name, value);
      }));
  websocket::response_type response;
  co_await connection->ws.async_handshake(response, url.authority(), target, into(ec));
  if (ec == websocket::error::upgrade_declined) {
    handler->on_close(parse_error(response.result_int(), response.body()));
    co_return;
  }
  if (ec) {
    handler->on_close(network_error("the WebSocket's handshake failed", ec));
    co_return;
  }
  co_await run_session(connection, std::move(handler), nullptr);
}

}  // namespace mizan::net
