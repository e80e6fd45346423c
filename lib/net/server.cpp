#include "net/server.hpp"

#include "net/answer.hpp"
#include "net/socket_session.hpp"
#include "net/tls_context.hpp"
#include "net/write_response.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include <atomic>
#include <thread>

namespace mizan::net {
namespace {

namespace http = beast::http;

constexpr size_t kServedPiece = 64 << 10;
// What is still read of those that were refused, so that they see why; more are cut off.
constexpr size_t kMostDrained = 16;
constexpr int kDrainedPieces = 16;

Error no_answer() {
  return Error{ErrorCode::unavailable, "the exchange is stopping; try again", {}};
}

Error too_much_at_once() {
  return Error{ErrorCode::limit_exceeded,
               "the exchange holds too many large requests and answers at once; try again",
               {}};
}

Request to_request(const http::request<http::empty_body>& head, const std::string& peer) {
  Request request;
  request.method = head.method_string();
  request.target = head.target();
  request.peer = peer;
  for (const auto& field : head) request.headers.emplace_back(field.name_string(), field.value());
  return request;
}

Error header_error(const error_code& ec) {
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow)
    return Error{ErrorCode::too_large, "the request's headers are too large", {}};
  return Error{ErrorCode::invalid_argument, "this is not an HTTP/1.1 request: " + ec.message(), {}};
}

}  // namespace

/// Everything that the coroutines use. The I/O context is destroyed first, and the coroutines'
/// frames with it.
struct Server::Impl {
  explicit Impl(ServerOptions options_) : options(std::move(options_)), acceptor(*io) {}
  ~Impl() {
    if (acceptor.is_open()) {
      error_code ignored;
      acceptor.close(ignored);
    }
  }

  Result<void> bind();
  asio::awaitable<void> accept_all();
  asio::awaitable<void> serve(Stream stream, PeerShare share);
  asio::awaitable<void> serve_requests(Stream& stream, PeerShare& share);
  asio::awaitable<bool> serve_one(Stream& stream, beast::flat_buffer& buffer,
                                  http::request_parser<http::empty_body>& head, PeerShare& share);
  asio::awaitable<Result<void>> read_streamed(Stream& stream, beast::flat_buffer& buffer,
                                              http::request_parser<http::empty_body>& head,
                                              const BodyPlan& plan, PeerShare& share);
  asio::awaitable<void> refuse(Stream& stream, const Error& error);
  Error cannot_listen(const error_code& ec) const;

  const ServerOptions options;
  Handler* handler = nullptr;  // from serve() on
  std::shared_ptr<TlsContext> tls;
  uint16_t port = 0;
  Peers peers{options};                 // I/O thread only
  std::atomic<size_t> connections = 0;  // and held_bytes: as the I/O thread last saw them
  std::atomic<size_t> held_bytes = 0;
  size_t draining = 0;  // I/O thread only
  std::atomic<uint64_t> accepted = 0;
  std::atomic<uint64_t> refused = 0;
  std::atomic<uint64_t> requests = 0;
  std::atomic<uint64_t> starved = 0;
  std::shared_ptr<asio::io_context> io = std::make_shared<asio::io_context>(1);
  Tcp::acceptor acceptor;
  std::thread thread;
};

Result<void> Server::Impl::bind() {
  error_code ec;
  const auto address = asio::ip::make_address(options.address, ec);
  const auto bad_listen = [](std::string message) {
    return fail(Error{ErrorCode::invalid_argument, "listen: " + std::move(message), {}}.with(
        "field", "listen"));
  };
  if (ec) return bad_listen("\"" + options.address + "\" is not an IP address");
  if (options.tls.given()) {
    MIZAN_TRY(context, server_tls(options.tls));
    tls = std::move(context);
  } else if (!address.is_loopback()) {
    return bad_listen(options.address +
                      " can be reached from other machines, which needs TLS: give tls.certificate "
                      "and tls.key, or listen on 127.0.0.1");
  }
  const Tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(Tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) port = acceptor.local_endpoint(ec).port();
  if (ec) return fail(cannot_listen(ec));
  return {};
}

Error Server::Impl::cannot_listen(const error_code& ec) const {
  return Error{ErrorCode::io_error,
               "cannot listen on " + options.address + ":" + std::to_string(options.port) + ": " +
                   ec.message(),
               {}}
      .with("errno", std::to_string(ec.value()));
}

asio::awaitable<void> Server::Impl::accept_all() {
  while (acceptor.is_open()) {
    error_code ec;
    Tcp::socket socket(*io);
    co_await acceptor.async_accept(socket, into(ec));
    if (ec) {
      if (ec == asio::error::operation_aborted) co_return;
      // Out of descriptors, most likely: give the others time to end instead of spinning.
      ++starved;
      asio::steady_timer pause(*io, Milliseconds{50});
      co_await pause.async_wait(into(ec));
      continue;
    }
    ++accepted;
    const auto endpoint = socket.remote_endpoint(ec);
    if (ec) continue;
    PeerShare share(peers, peer_name(endpoint.address()));
    if (!share.entered()) {
      ++refused;
      continue;
    }
    connections = peers.connections();
    socket.set_option(Tcp::no_delay(true), ec);
    asio::co_spawn(*io, serve(Stream(std::move(socket)), std::move(share)), asio::detached);
  }
}

asio::awaitable<void> Server::Impl::serve(Stream stream, PeerShare share) {
  try {
    bool ready = true;
    if (tls) {
      stream.expires_after(options.header_timeout);
      ready = !co_await stream.accept_tls(*tls);
    }
    if (ready) co_await serve_requests(stream, share);
  } catch (const std::exception&) {
    // Out of memory, or a fault of the library: this connection ends, the others go on.
  }
  connections = peers.connections() - 1;
}

asio::awaitable<void> Server::Impl::serve_requests(Stream& stream, PeerShare& share) {
  // Holds the headers and, when requests are pipelined, the beginning of the next ones.
  beast::flat_buffer buffer(options.max_header_bytes + kServedPiece);
  bool first = true;
  while (true) {
    http::request_parser<http::empty_body> head;
    head.header_limit(options.max_header_bytes);
    head.body_limit(boost::none);
    stream.expires_after(first ? options.header_timeout : options.keep_alive_timeout);
    if (!first && buffer.size() == 0) {
      // Wait for the next request's first byte, then hold its sender to the headers' time.
      error_code ec;
      const size_t got = co_await stream.async_read_some(
          buffer.prepare(std::min<size_t>(kServedPiece, 4096)), into(ec));
      if (ec) co_return;
      buffer.commit(got);
      stream.expires_after(options.header_timeout);
    }
    first = false;
    error_code ec;
    co_await http::async_read_header(stream, buffer, head, into(ec));
    if (ec == http::error::end_of_stream || ec == beast::error::timeout) co_return;
    if (ec) {
      // Answer what was at least meant as HTTP; a broken connection gets nothing.
      if (ec.category() == http::make_error_code(http::error::bad_method).category())
        co_await refuse(stream, header_error(ec));
      co_return;
    }
    ++requests;
    stream.expires_never();
    co_await wait_turn(share);
    const bool go_on = co_await serve_one(stream, buffer, head, share);
    share.hold(0);
    held_bytes = peers.held_bytes();
    if (!go_on) break;
  }
  co_await stream.finish();
}

asio::awaitable<void> Server::Impl::refuse(Stream& stream, const Error& error) {
  co_await write_response(stream, error_response(error), 11, false, options.write_timeout);
  if (!stream.has_tls()) co_await stream.finish();
  if (draining >= kMostDrained) co_return;
  // Drain what the peer still sends for a moment, so that it reads the answer before a reset.
  ++draining;
  stream.expires_after(Milliseconds{1000});
  std::vector<char> drain(kServedPiece);
  error_code ec;
  for (int pieces = 0; pieces < kDrainedPieces && !ec; ++pieces)
    co_await stream.async_read_some(asio::buffer(drain), into(ec));
  --draining;
}

asio::awaitable<bool> Server::Impl::serve_one(Stream& stream, beast::flat_buffer& buffer,
                                              http::request_parser<http::empty_body>& head,
                                              PeerShare& share) {
  const unsigned version = head.get().version();
  const bool keep_alive = head.get().keep_alive();
  Request request = to_request(head.get(), share.peer());
  if (head.content_length()) request.content_length = *head.content_length();

  if (beast::websocket::is_upgrade(head.get())) {
    auto answer = std::make_shared<Answer<Result<std::shared_ptr<SocketHandler>>>>(io);
    handler->upgrade(request, giver(answer, [] {
                       return Result<std::shared_ptr<SocketHandler>>(fail(no_answer()));
                     }));
    auto accepted_by = co_await answer->wait();
    if (!accepted_by) {
      co_await refuse(stream, accepted_by.error());
      co_return false;
    }
    BeastRequest upgrade(http::request_header<>(head.get().base()));
    // A well-behaved client sends no frame before the handshake's answer.
    co_await serve_socket(io, std::move(stream), upgrade, *std::move(accepted_by), options.sockets,
                          share);
    co_return false;
  }

  auto planned = std::make_shared<Answer<Result<BodyPlan>>>(io);
  handler->plan(request, giver(planned, [] { return Result<BodyPlan>(fail(no_answer())); }));
  const Result<BodyPlan> plan = co_await planned->wait();
  Result<void> body_read = {};
  if (!plan) {
    body_read = fail(plan.error());
  } else if (request.content_length.value_or(0) > plan->max_bytes) {
    body_read = fail(ErrorCode::too_large, "the body is larger than the " +
                                               std::to_string(plan->max_bytes) +
                                               " bytes that this call takes");
  } else if (!plan->sink && !share.hold(request.content_length.value_or(
                                head.chunked() ? plan->max_bytes : uint64_t{0}))) {
    body_read = fail(too_much_at_once());
  }
  if (!body_read) {
    co_await refuse(stream, body_read.error());
    co_return false;
  }
  if (beast::iequals(head.get()[http::field::expect], "100-continue")) {
    http::response<http::empty_body> go_on(http::status::continue_, version);
    error_code ec;
    stream.expires_after(options.write_timeout);
    co_await http::async_write(stream, go_on, into(ec));
    if (ec) co_return false;
  }
  if (!plan->sink) {
    // Read at once below, at whatever speed: it is waited for before.
    const uint64_t most = request.content_length.value_or(head.chunked() ? plan->max_bytes : 0);
    stream.expires_never();
    if (most > kServedPiece) co_await wait_turn(share, static_cast<uint32_t>(most / kServedPiece));
  }
  if (plan->sink) {
    body_read = co_await read_streamed(stream, buffer, head, *plan, share);
  } else {
    http::request_parser<http::string_body> parser(std::move(head));
    parser.body_limit(plan->max_bytes);
    stream.expires_after(options.body_timeout);
    error_code ec;
    co_await http::async_read(stream, buffer, parser, into(ec));
    if (ec == http::error::body_limit)
      body_read = fail(ErrorCode::too_large, "the body is larger than the " +
                                                 std::to_string(plan->max_bytes) +
                                                 " bytes that this call takes");
    else if (ec && ec.category() == http::make_error_code(http::error::bad_method).category())
      body_read = fail(header_error(ec));
    else if (ec)
      co_return false;
    request.body = std::move(parser.get().body());
  }
  if (!body_read) {
    co_await refuse(stream, body_read.error());
    co_return false;
  }

  stream.expires_never();
  auto answer = std::make_shared<Answer<Response>>(io);
  handler->handle(std::move(request), plan->sink,
                  giver(answer, [] { return error_response(no_answer()); }));
  Response response = co_await answer->wait();
  if (!share.hold(response.body.size())) response = error_response(too_much_at_once());
  co_return co_await write_response(stream, std::move(response), version, keep_alive,
                                    options.write_timeout);
}

asio::awaitable<Result<void>> Server::Impl::read_streamed(
    Stream& stream, beast::flat_buffer& buffer, http::request_parser<http::empty_body>& head,
    const BodyPlan& plan, PeerShare& share) {
  http::request_parser<http::buffer_body> parser(std::move(head));
  parser.body_limit(plan.max_bytes);
  std::vector<uint8_t> piece(kServedPiece);
  while (!parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    co_await wait_turn(share);
    stream.expires_after(options.body_timeout);
    error_code ec;
    co_await http::async_read(stream, buffer, parser, into(ec));
    if (ec == http::error::need_buffer) ec = {};
    if (ec == http::error::body_limit)
      co_return fail(ErrorCode::too_large, "the body is larger than this call takes");
    if (ec) co_return fail(network_error("the body broke off", ec));
    const size_t got = piece.size() - parser.get().body().size;
    if (got > 0) {
      auto written = plan.sink->write(ByteView(piece.data(), got));
      if (!written) co_return fail(std::move(written).error());
    }
  }
  co_return Result<void>{};
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Server>> Server::open(ServerOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  MIZAN_CHECK(impl->bind());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Result<void> Server::serve(Handler& handler) {
  Impl& it = *impl_;
  it.handler = &handler;
  error_code ec;
  it.acceptor.listen(4096, ec);
  if (ec) return fail(it.cannot_listen(ec));
  asio::co_spawn(*it.io, it.accept_all(), asio::detached);
  it.thread = std::thread([&it] { it.io->run(); });
  return {};
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler& handler) {
  MIZAN_TRY(server, open(std::move(options)));
  MIZAN_CHECK(server->serve(handler));
  return server;
}

Server::~Server() {
  stop();
}

uint16_t Server::port() const {
  return impl_->port;
}

ServerCounts Server::counts() const {
  return {impl_->connections, impl_->accepted, impl_->refused,
          impl_->requests,    impl_->starved,  impl_->held_bytes};
}

void Server::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->io->stop();
  impl_->thread.join();
}

}  // namespace mizan::net
