// An HTTP/1.1 and WebSocket server with bounds on everything that a stranger can make it do.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/http.hpp"
#include "net/socket.hpp"
#include "net/tls.hpp"

namespace mizan::net {

/// Takes a request's body in pieces; thrown away with the connection if that breaks off.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual Result<void> write(ByteView bytes) = 0;
};

/// What to do with a body that has been announced but not read.
struct BodyPlan {
  uint64_t max_bytes = 0;
  std::shared_ptr<BodySink> sink{};  ///< null: into Request::body
};

using PlanAnswer = std::function<void(Result<BodyPlan>)>;
using UpgradeAnswer = std::function<void(Result<std::shared_ptr<SocketHandler>>)>;
using Respond = std::function<void(Response)>;

/// What a server serves. Each call comes on the server's one I/O thread and must not wait; its
/// answer may be given from any thread, once. An answer function that goes unanswered answers 503.
class Handler {
 public:
  virtual ~Handler() = default;
  /// Asked before a request's body is read; a failure is answered at once and ends the connection.
  virtual void plan(const Request& head, PlanAnswer answer) = 0;
  /// `sink` is the plan's, when it gave one and the whole body went into it.
  virtual void handle(Request request, std::shared_ptr<BodySink> sink, Respond respond) = 0;
  /// A request to become a WebSocket.
  virtual void upgrade(Request head, UpgradeAnswer answer) = 0;
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  ///< 0: any free one
  TlsFiles tls{};     ///< none: plain HTTP, on this machine's own addresses alone
  size_t max_connections = 20'000;
  size_t max_connections_per_address = 512;  ///< an IPv6 /64 counts as one address
  /// Requests and WebSocket messages, after two seconds' worth at once; what comes faster waits. A
  /// body counts as one more for each 64 KiB.
  uint32_t requests_per_second_per_address = 1000;
  /// Of bodies, answers and messages over 16 KiB while they are read, dealt with and sent.
  size_t max_memory = 256 << 20;
  size_t max_memory_per_address = 32 << 20;
  uint32_t max_header_bytes = 16 << 10;
  Milliseconds header_timeout{10'000};  ///< from the first byte awaited to the headers' end
  Milliseconds keep_alive_timeout{30'000};
  Milliseconds body_timeout{
      30'000};  ///< of a body kept in memory; of each 64 KiB of a streamed one
  Milliseconds write_timeout{30'000};  ///< of each 64 KiB of an answer
  SocketOptions sockets{};
};

struct ServerCounts {
  size_t connections = 0;
  uint64_t accepted = 0;
  uint64_t refused = 0;  ///< over a limit of connections
  uint64_t requests = 0;
  uint64_t starved = 0;   ///< times that the system had no descriptor for a connection
  size_t held_bytes = 0;  ///< of `max_memory`, at the last request's end
};

/// A server with one I/O thread, over TLS 1.3 or, on loopback, plain.
class Server {
 public:
  /// Takes the address and reads the certificate, without serving yet: a mistake in either shows
  /// before anything else is begun.
  static Result<std::unique_ptr<Server>> open(ServerOptions options);
  /// Listens and serves from now on; `handler` outlives the server. Once.
  Result<void> serve(Handler& handler);
  /// Both in one.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler& handler);
  ~Server();  ///< stop()

  uint16_t port() const;  ///< the port really bound
  ServerCounts counts() const;
  /// Drops every connection and joins the thread; the handler is not called any more.
  void stop();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mizan::net
