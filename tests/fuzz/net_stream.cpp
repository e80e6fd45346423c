// What strangers send to a real server over a real connection: HTTP as bytes, and WebSocket frames.
// The first byte says which:
//   0  the rest is what is sent
//   1  a WebSocket is opened, and the rest is sent as it is
//   2  a WebSocket is opened, and the rest is frames: the frame's first byte (FIN, reserved bits
//      and opcode), the length of what it carries, and that; sent masked, as it has to be
// Whatever comes, the server ends the connection once its peer has, and tells its handlers so.
#include "fuzz/fuzz.hpp"
#include "net/server.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

using namespace mizan;

namespace {

constexpr size_t kMostBody = 2000;
constexpr size_t kMostMessage = 4096;

class Echo final : public net::SocketHandler {
 public:
  explicit Echo(std::atomic<int>& open) : open_(open) {}
  void on_open(std::shared_ptr<net::Socket> socket) override { socket_ = std::move(socket); }
  void on_text(std::string text, std::function<void()> done) override {
    ensure(socket_ != nullptr && !closed_, "messages come between the opening and the end");
    ensure(text.size() <= kMostMessage, "a message is bounded");
    socket_->send(std::move(text));
    done();
  }
  void on_close(const Error& reason) override {
    ensure(!std::exchange(closed_, true), "a socket ends once");
    ensure(!reason.message.empty(), "and says why");
    --open_;
  }

 private:
  std::atomic<int>& open_;
  std::shared_ptr<net::Socket> socket_;
  bool closed_ = false;
};

class World final : public net::Handler {
 public:
  World() {
    net::ServerOptions options;
    options.max_header_bytes = 4096;
    options.sockets.max_message_bytes = kMostMessage;
    // All inputs come from one address, as fast as they can.
    options.max_connections_per_address = 1'000'000;
    options.requests_per_second_per_address = 1'000'000;
    auto started = net::Server::start(options, *this);
    ensure(started.has_value(), "a server can be started");
    server_ = *std::move(started);
  }
  void plan(const net::Request&, net::PlanAnswer answer) override {
    answer(net::BodyPlan{kMostBody, nullptr});
  }
  void handle(net::Request request, std::shared_ptr<net::BodySink>, net::Respond respond) override {
    ensure(request.body.size() <= kMostBody, "a body is bounded");
    (void)request.path();
    (void)request.query();
    net::Response response;
    response.body = std::move(request.body);
    respond(std::move(response));
  }
  void upgrade(net::Request, net::UpgradeAnswer answer) override {
    ++open_;
    answer(std::make_shared<Echo>(open_));
  }

  void connect(bool websocket, const std::string& bytes) {
    const int peer = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{10, 0};
    ::setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ensure(::connect(peer, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
           "the server takes connections");
    if (websocket) {
      send(peer,
           "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
      ensure(read(peer, "\r\n\r\n").starts_with("HTTP/1.1 101"), "a WebSocket opens");
    }
    send(peer, bytes);
    ::shutdown(peer, SHUT_WR);
    (void)read(peer, "");
    ::close(peer);
  }

 private:
  static void send(int peer, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // the server has ended it
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  /// Up to the mark; to the end, if it is empty.
  static std::string read(int peer, std::string_view mark) {
    std::string all;
    std::array<char, 4096> piece{};
    while (mark.empty() || all.find(mark) == std::string::npos) {
      const ssize_t n = ::recv(peer, piece.data(), mark.empty() ? piece.size() : 1, 0);
      if (n < 0 && errno == EINTR) continue;  // libFuzzer's own alarm: a limit of time lets it in
      ensure(n >= 0 || errno == ECONNRESET, "the server answers, or ends the connection");
      if (n <= 0) break;
      all.append(piece.data(), static_cast<size_t>(n));
    }
    return all;
  }

  std::atomic<int> open_ = 0;
  std::unique_ptr<net::Server> server_;
};

std::string frames(ByteView input) {
  fuzz::Choices in(input);
  std::string out;
  while (!in.empty()) {
    const uint8_t first = in.byte();
    const ByteView carried = in.bytes(255);
    out.push_back(static_cast<char>(first));
    if (carried.size() < 126) {
      out.push_back(static_cast<char>(0x80 | carried.size()));
    } else {
      out.push_back(static_cast<char>(0x80 | 126));
      out.push_back(static_cast<char>(carried.size() >> 8));
      out.push_back(static_cast<char>(carried.size() & 0xff));
    }
    out.append(4, '\0');  // a mask that changes nothing
    out += as_text(carried);
  }
  return out;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static World world;
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  const uint8_t which = data[0] % 3;
  world.connect(which != 0, which == 2 ? frames(input) : std::string(as_text(input)));
  return 0;
}
