#include "net/server.hpp"

#include "net/client.hpp"
#include "net/raw_connection.hpp"
#include "net/websocket.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

namespace mizan::net {
namespace {

using namespace std::chrono_literals;

/// Echoes bodies; /file serves a file; PUT /sink takes 10 MB into a string; /ws echoes messages;
/// /later answers from another thread; /never drops its answer; /signed asks for a signature.
class Echo final : public Handler {
 public:
  struct Text final : BodySink {
    Result<void> write(ByteView bytes) override {
      text.append(as_text(bytes));
      return {};
    }
    std::string text;
  };
  struct EchoSocket final : SocketHandler {
    void on_open(std::shared_ptr<Socket> opened) override { socket = std::move(opened); }
    void on_text(std::string text, std::function<void()> done) override {
      if (text == "flood")
        for (int i = 0; i < 2000; ++i) socket->send(std::string(10'000, 'x'));
      else if (text == "bye")
        socket->close("as you wish");
      else
        socket->send("echo " + text);
      done();
    }
    void on_close(const Error& reason) override { closed.set_value(reason); }
    std::shared_ptr<Socket> socket;
    std::promise<Error> closed;
  };

  void plan(const Request& head, PlanAnswer answer) override {
    if (head.path() == "/sink") return answer(BodyPlan{10 << 20, std::make_shared<Text>()});
    if (head.path() == "/forbidden") return answer(fail(ErrorCode::forbidden, "not you"));
    answer(BodyPlan{1000, nullptr});
  }
  void handle(Request request, std::shared_ptr<BodySink> sink, Respond respond) override {
    Response response;
    if (request.path() == "/later") {
      later = std::thread([respond] {
        Response late;
        late.body = "late";
        respond(std::move(late));
      });
      return;
    }
    if (request.path() == "/never") return;
    if (request.path() == "/signed") {
      const auto account = authenticator.check(request, request.body, kOtherTime);
      if (!account) return respond(error_response(account.error()));
    }
    if (request.path() == "/fail") return respond(error_response({ErrorCode::conflict, "no", {}}));
    if (request.path() == "/file") {
      const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
      response.file.emplace(descriptor, 10, 200'000);
      response.content_type = "application/octet-stream";
    } else if (sink) {
      response.body = std::to_string(static_cast<Text&>(*sink).text.size());
    } else {
      response.body = request.method + " " + request.target + " " + request.body;
    }
    respond(std::move(response));
  }
  void upgrade(Request head, UpgradeAnswer answer) override {
    if (head.path() != "/ws") return answer(fail(ErrorCode::not_found, "no such channel"));
    last_socket = std::make_shared<EchoSocket>();
    answer(std::shared_ptr<SocketHandler>(last_socket));
  }
  ~Echo() override {
    if (later.joinable()) later.join();
  }

  static constexpr UnixMs kOtherTime{2'000'000'000'000};
  const eip712::Domain domain = eip712::Domain::credits(Hash32{{7}});
  Authenticator authenticator{domain};
  std::filesystem::path file;
  std::thread later;
  std::shared_ptr<EchoSocket> last_socket;
};

class ServerTest : public testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    server_ = Server::start(options, echo_).value();
    url_ = parse_url("http://127.0.0.1:" + std::to_string(server_->port())).value();
  }
  RawConnection raw() { return RawConnection(server_->port()); }
  void TearDown() override { std::filesystem::remove(path_); }

  Echo echo_;
  std::unique_ptr<Server> server_;
  Url url_;
  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() /
      ("mizan_net_" + std::to_string(::getpid()) + "_" +
       testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(ServerTest, AnswersOnAKeptConnection) {
  start();
  Client client(url_);
  EXPECT_EQ(client.get("/a?b=c")->body, "GET /a?b=c ");
  EXPECT_EQ(client.post("/p", "hello")->body, "POST /p hello");
  EXPECT_EQ(client.get("/later")->body, "late");
  EXPECT_EQ(client.get("/fail").error().code, ErrorCode::conflict);
  EXPECT_EQ(client.get("/never").error().code, ErrorCode::unavailable);
  EXPECT_EQ(client.get("/a")->body, "GET /a ");
  EXPECT_EQ(server_->counts().accepted, 1U);
}

TEST_F(ServerTest, SignsAgainByTheServersTime) {
  start();
  Client client(url_, std::make_shared<Signer>(echo_.domain, SecretKey::generate()));
  EXPECT_EQ(client.post("/signed", "order")->body, "POST /signed order");
  EXPECT_EQ(server_->counts().requests, 2U);
  EXPECT_TRUE(client.get("/signed")) << "it knows the time now";
  EXPECT_EQ(server_->counts().requests, 3U);
  Client other(url_,
               std::make_shared<Signer>(eip712::Domain::credits(Hash32{}), SecretKey::generate()));
  EXPECT_EQ(other.get("/signed").error().code, ErrorCode::unauthenticated);
}

TEST_F(ServerTest, ConnectsAgainAfterTheServerWasReplaced) {
  start();
  Client client(url_);
  ASSERT_TRUE(client.get("/a"));
  ServerOptions same;
  same.port = server_->port();
  server_.reset();
  start(same);
  EXPECT_TRUE(client.get("/a"));
  server_.reset();
  EXPECT_EQ(client.get("/a").error().code, ErrorCode::unavailable);
}

TEST_F(ServerTest, StreamsBodiesBothWays) {
  start();
  Client client(url_);
  std::string content(300'000, 'a');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>('a' + i % 26);
  std::ofstream(path_) << content;
  uint64_t reported = 0;
  EXPECT_EQ(
      client.put_file("/sink", path_, [&](uint64_t done, uint64_t) { reported = done; })->body,
      "300000");
  EXPECT_EQ(reported, content.size());
  echo_.file = path_;
  const auto copy = path_.string() + ".copy";
  ASSERT_TRUE(client.get_file("/file", copy, 1 << 20));
  std::ifstream in(copy);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), content.substr(10, 200'000));
  EXPECT_EQ(client.get_file("/file", copy, 1000).error().code, ErrorCode::too_large);
  EXPECT_FALSE(std::filesystem::exists(copy));
}

TEST_F(ServerTest, RefusesLargeBodiesWithoutReadingThem) {
  start();
  Client client(url_);
  EXPECT_EQ(client.post("/p", std::string(1001, 'x')).error().code, ErrorCode::too_large);
  EXPECT_TRUE(client.post("/p", std::string(1000, 'x')));
  std::ofstream(path_) << std::string(11 << 20, 'x');
  EXPECT_EQ(client.put_file("/sink", path_).error().code, ErrorCode::too_large);
  EXPECT_EQ(client.put_file("/forbidden", path_).error().code, ErrorCode::forbidden);
}

TEST_F(ServerTest, RefusesAnEndlessChunkedBody) {
  start();
  auto connection = raw();
  connection.send("POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 100; ++i) connection.send("40\r\n" + std::string(64, 'x') + "\r\n");
  EXPECT_THAT(connection.read_until("\r\n"), testing::HasSubstr("413"));
}

TEST_F(ServerTest, ServesPipelinedRequestsInOrder) {
  start();
  auto connection = raw();
  connection.send(
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: "
      "3\r\n\r\nabcGET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /4 HTTP/1.1\r\nHost: "
      "x\r\nConnection: close\r\n\r\n");
  const std::string all = connection.read_to_end();
  const size_t first = all.find("GET /1 "), second = all.find("POST /2 abc"),
               third = all.find("late"), fourth = all.find("GET /4 ");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_LT(third, fourth);
  EXPECT_NE(fourth, std::string::npos);
}

TEST_F(ServerTest, RefusesWhatIsNotHttp) {
  start();
  for (const std::string& text :
       {std::string("\x16\x03\x01\x02\x00 a TLS hello\r\n\r\n"), std::string("GET\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nNo colon here\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")}) {
    auto connection = raw();
    connection.send(text);
    EXPECT_THAT(connection.read_until("\r\n"), testing::HasSubstr(" 400 ")) << text;
  }
  auto connection = raw();
  connection.send("GET / HTTP/1.1\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(connection.read_until("\r\n"), testing::HasSubstr(" 413 "));
}

TEST_F(ServerTest, DropsSlowClients) {
  ServerOptions options;
  options.header_timeout = options.keep_alive_timeout = options.body_timeout = 100ms;
  start(options);
  auto silent = raw();
  EXPECT_EQ(silent.read_to_end(), "");
  auto slow_header = raw();
  slow_header.send("GET / HTTP/1.1\r\nHost");
  EXPECT_EQ(slow_header.read_to_end(), "");
  auto slow_body = raw();
  slow_body.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_THAT(slow_body.read_to_end(), testing::Not(testing::HasSubstr("200")));
  auto idle = raw();
  idle.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(idle.read_to_end(), testing::HasSubstr("GET /1"));
}

TEST_F(ServerTest, BoundsConnectionsByAddressAndInAll) {
  ServerOptions options;
  options.max_connections_per_address = 3;
  start(options);
  std::vector<RawConnection> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(raw());
    held.back().send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(held.back().read_until("GET /1 "), testing::HasSubstr("200"));
  }
  auto fourth = raw();
  EXPECT_EQ(fourth.read_to_end(), "");
  held.pop_back();
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (server_->counts().connections > 2 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  auto fifth = raw();
  fifth.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(fifth.read_until("GET /1 "), testing::HasSubstr("200"));
  EXPECT_EQ(server_->counts().refused, 1U);
}

TEST_F(ServerTest, CarriesMessagesBothWays) {
  start();
  auto socket = WebSocket::connect(url_, "/ws");
  ASSERT_TRUE(socket) << socket.error().message;
  for (int i = 0; i < 200; ++i) socket->write(std::to_string(i));
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(socket->read(10s).value().value(), "echo " + std::to_string(i));
  EXPECT_FALSE(socket->read(1ms)->has_value());
  socket->write("bye");
  EXPECT_THAT(socket->read(10s).error().message, testing::HasSubstr("as you wish"));
}

TEST_F(ServerTest, TellsWhyAnUpgradeWasRefused) {
  start();
  EXPECT_EQ(WebSocket::connect(url_, "/other").error().code, ErrorCode::not_found);
  server_.reset();
  EXPECT_EQ(WebSocket::connect(url_, "/ws").error().code, ErrorCode::unavailable);
}

TEST_F(ServerTest, DropsMessagesOverTheLimitAndTheirSender) {
  ServerOptions options;
  options.sockets.max_message_bytes = 1000;
  start(options);
  auto socket = WebSocket::connect(url_, "/ws").value();
  auto closed = echo_.last_socket->closed.get_future();
  socket.write(std::string(1001, 'x'));
  EXPECT_FALSE(socket.read(10s));
  ASSERT_EQ(closed.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(closed.get().code, ErrorCode::too_large);
}

TEST_F(ServerTest, DropsASlowReader) {
  ServerOptions options;
  options.sockets.max_queued_bytes = 1 << 20;
  start(options);
  // A client that does not read: its inbox and the kernel's buffers fill, then the queue.
  auto connection = raw();
  connection.send(
      "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  EXPECT_THAT(connection.read_until("\r\n\r\n"), testing::HasSubstr("101"));
  auto closed = echo_.last_socket->closed.get_future();
  connection.send(std::string("\x81\x85\0\0\0\0flood", 11));
  ASSERT_EQ(closed.wait_for(20s), std::future_status::ready);
  EXPECT_EQ(closed.get().code, ErrorCode::limit_exceeded);
}

TEST_F(ServerTest, NoticesADeadPeerByItsPings) {
  ServerOptions options;
  options.sockets.idle_timeout = 200ms;
  start(options);
  auto alive = WebSocket::connect(url_, "/ws").value();  // answers pings by itself
  auto connection = raw();
  connection.send(
      "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  EXPECT_THAT(connection.read_until("\r\n\r\n"), testing::HasSubstr("101"));
  auto closed = echo_.last_socket->closed.get_future();
  EXPECT_EQ(closed.wait_for(20s), std::future_status::ready);
  alive.write("still");
  EXPECT_EQ(alive.read(10s).value().value(), "echo still");
}

TEST_F(ServerTest, StopsUnderLoadWithOwnersThatHoldOn) {
  start();
  auto socket = WebSocket::connect(url_, "/ws").value();
  socket.write("up");  // answered by a socket that is open on the server's side too
  EXPECT_EQ(socket.read(10s).value().value(), "echo up");
  auto held = echo_.last_socket->socket;
  auto connection = raw();
  connection.send("GET /never");
  server_.reset();
  held->send("into nothing");
  held->close("bye");
  EXPECT_FALSE(socket.read(10s));
}

}  // namespace
}  // namespace mizan::net
