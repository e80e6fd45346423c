// What a stranger can make a server hold, and that others are served meanwhile.
#include "net/client.hpp"
#include "net/peers.hpp"
#include "net/raw_connection.hpp"
#include "net/server.hpp"
#include "net/websocket.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <sys/resource.h>
#include <thread>

namespace mizan::net {
namespace {

using namespace std::chrono_literals;

constexpr const char* kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

/// Takes bodies of a megabyte; /slow answers when told to, /big with 600 KB; /ws hears nothing.
class Patient final : public Handler {
 public:
  struct Deaf final : SocketHandler {
    explicit Deaf(std::promise<Error>& closed_) : closed(closed_) {}
    void on_open(std::shared_ptr<Socket> opened) override { socket = std::move(opened); }
    void on_text(std::string, std::function<void()> done) override { done(); }
    void on_close(const Error& reason) override { closed.set_value(reason); }
    size_t max_message_bytes() const override { return kSilentPeerBytes; }
    std::shared_ptr<Socket> socket;
    std::promise<Error>& closed;
  };
  void plan(const Request&, PlanAnswer answer) override { answer(BodyPlan{1 << 20, nullptr}); }
  void handle(Request request, std::shared_ptr<BodySink>, Respond respond) override {
    ++handled;
    Response response;
    response.body = request.peer;
    if (request.path() == "/big") response.body = std::string(600'000, 'b');
    respond(std::move(response));
  }
  void upgrade(Request, UpgradeAnswer answer) override {
    answer(std::shared_ptr<SocketHandler>(std::make_shared<Deaf>(closed)));
  }
  std::atomic<size_t> handled = 0;
  std::promise<Error> closed;
};

class LimitsTest : public testing::Test {
 protected:
  void start(const ServerOptions& options) { server_ = Server::start(options, handler_).value(); }
  RawConnection raw(const char* from = "127.0.0.1") { return RawConnection(server_->port(), from); }
  Result<Response> get(const std::string& target) {
    return Client({false, "127.0.0.1", server_->port(), {}}).get(target);
  }
  static void wait_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(2ms);
    EXPECT_TRUE(condition());
  }

  Patient handler_;
  std::unique_ptr<Server> server_;
};

TEST(Pace, LetsABurstThroughAndThenOneAnInterval) {
  Pace pace;
  const Pace::Clock::time_point start{100s};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pace.next(start, 1s, 3), 0s);
  EXPECT_EQ(pace.next(start, 1s, 3), 1s);
  EXPECT_EQ(pace.next(start, 1s, 3), 2s);
  EXPECT_FALSE(pace.fresh(start + 4s));
  EXPECT_EQ(pace.next(start + 2s, 1s, 3), 1s);
  EXPECT_EQ(pace.next(start + 60s, 1s, 3), 0s);
  EXPECT_TRUE(pace.fresh(start + 61s));
}

TEST(Peers, CountsANetworkOfOneHostAsOneAddress) {
  const auto name = [](const char* text) { return peer_name(asio::ip::make_address(text)); };
  EXPECT_EQ(name("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(name("::ffff:192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(name("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(name("2001:db8:1:2::1"), name("2001:db8:1:2:ffff::1"));
  EXPECT_NE(name("2001:db8:1:2::1"), name("2001:db8:1:3::1"));
}

TEST(Peers, BoundsConnectionsAndMemoryByAddressAndInAll) {
  ServerOptions options;
  options.max_connections = 3;
  options.max_connections_per_address = 2;
  options.max_memory = 150'000;
  options.max_memory_per_address = 100'000;
  Peers peers(options);
  {
    PeerShare a1(peers, "a"), a2(peers, "a"), b(peers, "b");
    EXPECT_TRUE(a1.entered() && a2.entered() && b.entered());
    EXPECT_FALSE(PeerShare(peers, "a").entered());
    EXPECT_FALSE(PeerShare(peers, "c").entered());
    EXPECT_EQ(peers.connections(), 3U);
    EXPECT_TRUE(a1.hold(60'000));
    EXPECT_FALSE(a2.hold(60'000));
    EXPECT_TRUE(a2.hold(1'000)) << "little is free";
    EXPECT_FALSE(b.hold(100'000)) << "all together";
    EXPECT_TRUE(b.hold(90'000));
    EXPECT_FALSE(b.hold(95'000));
    EXPECT_EQ(peers.held_bytes(), 150'000U);
    EXPECT_TRUE(a1.hold(20'000));
    EXPECT_TRUE(a2.hold(40'000));
  }
  EXPECT_EQ(peers.connections(), 0U);
  EXPECT_EQ(peers.held_bytes(), 0U);
}

TEST(Peers, WhoConnectsInALoopIsSlowedDown) {
  ServerOptions options;
  options.max_connections_per_address = 10;
  Peers peers(options);
  size_t entered = 0;
  for (int i = 0; i < 1000; ++i) entered += PeerShare(peers, "a").entered() ? 1U : 0U;
  EXPECT_GE(entered, 20U);
  EXPECT_LT(entered, 1000U);
  EXPECT_TRUE(PeerShare(peers, "b").entered());
}

TEST_F(LimitsTest, AnswersOthersWhileSlowClientsHang) {
  ServerOptions options;
  options.max_connections_per_address = 100;
  start(options);
  std::deque<RawConnection> slow;
  for (int i = 0; i < 100; ++i) {
    slow.push_back(raw("127.0.0.2"));
    slow.back().send(i % 2 == 0 ? "GET /a HTTP/1.1\r\nHos"
                                : "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1");
  }
  wait_until([&] { return server_->counts().connections == 100; });
  EXPECT_EQ(raw("127.0.0.2").read_to_end(), "") << "one too many";
  EXPECT_EQ(get("/a")->body, "127.0.0.1");
  EXPECT_EQ(server_->counts().refused, 1U);
  slow.pop_front();
  wait_until([&] { return server_->counts().connections == 99; });
  auto again = raw("127.0.0.2");
  again.send(kGet);
  EXPECT_NE(again.read_until("127.0.0.2").find("200 OK"), std::string::npos);
}

TEST_F(LimitsTest, BoundsWhatBodiesAndAnswersHold) {
  ServerOptions options;
  options.max_memory_per_address = 1'000'000;
  options.max_memory = 1'500'000;
  start(options);
  const auto announce = [](RawConnection& connection, const std::string& how) {
    connection.send("POST /a HTTP/1.1\r\nHost: x\r\n" + how + "\r\n\r\nx");
  };
  std::optional<RawConnection> first(raw("127.0.0.2"));
  announce(*first, "Content-Length: 900000\r\nExpect: 100-continue");
  EXPECT_NE(first->read_until("\r\n\r\n").find("100 Continue"), std::string::npos);
  auto second = raw("127.0.0.2");
  announce(second, "Content-Length: 900000");
  EXPECT_NE(second.read_to_end().find("429"), std::string::npos);
  auto chunked = raw("127.0.0.2");
  announce(chunked, "Transfer-Encoding: chunked");  // as much as the call may take
  EXPECT_NE(chunked.read_to_end().find("429"), std::string::npos);
  auto other = raw("127.0.0.3");
  announce(other, "Content-Length: 900000");
  EXPECT_NE(other.read_to_end().find("429"), std::string::npos) << "all together";
  EXPECT_EQ(get("/big")->body.size(), 600'000U);
  auto answer = raw("127.0.0.2");
  answer.send("GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.read_to_end().find("429"), std::string::npos);
  auto small = raw("127.0.0.2");
  small.send(kGet);
  EXPECT_NE(small.read_until("127.0.0.2").find("200 OK"), std::string::npos);
  first.reset();
  wait_until([&] { return get("/a") && server_->counts().held_bytes == 0; });
  auto again = raw("127.0.0.2");
  announce(again, "Content-Length: 900000\r\nExpect: 100-continue");
  EXPECT_NE(again.read_until("\r\n\r\n").find("100 Continue"), std::string::npos);
}

TEST_F(LimitsTest, WhoAsksTooOftenWaitsAndIsAnswered) {
  ServerOptions options;
  options.requests_per_second_per_address = 20;
  start(options);
  auto greedy = raw("127.0.0.2");
  std::string many;
  for (int i = 0; i < 44; ++i) many += kGet;  // two seconds' worth and four more
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(greedy.send(many));
  for (int i = 0; i < 44; ++i)
    ASSERT_NE(greedy.read_until("127.0.0.2").find("200 OK"), std::string::npos) << i;
  EXPECT_GE(std::chrono::steady_clock::now() - before, 150ms);
  EXPECT_EQ(get("/a")->body, "127.0.0.1");
}

TEST_F(LimitsTest, ASocketThatHearsNothingTakesNothing) {
  start({});
  auto socket = WebSocket::connect({false, "127.0.0.1", server_->port(), {}}, "/ws").value();
  socket.write("hello");
  socket.write(std::string(kSilentPeerBytes + 1, 'x'));
  EXPECT_EQ(handler_.closed.get_future().get().code, ErrorCode::too_large);
}

TEST_F(LimitsTest, LivesThroughALackOfDescriptors) {
  start({});
  ASSERT_TRUE(get("/a"));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);  // the lowest free number
  ASSERT_GE(next, 0);
  ::close(next);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(next) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  {
    const auto client = raw();  // takes the last number: none is left for the server's end
    wait_until([&] { return server_->counts().starved > 0; });
    const uint64_t starved = server_->counts().starved;
    const auto since = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(200ms);  // that it does not spin can only be seen in time
    const auto waits = (std::chrono::steady_clock::now() - since) / 50ms + 2;
    EXPECT_LE(server_->counts().starved - starved, static_cast<uint64_t>(waits));
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(get("/a"));
}

}  // namespace
}  // namespace mizan::net
