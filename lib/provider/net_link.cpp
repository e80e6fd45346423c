#include "provider/net_link.hpp"

#include "base/time.hpp"

namespace mizan::provider {
namespace {

/// Short: the agent tries again by itself, and its end waits for a call that is under way.
constexpr net::ClientOptions kPatience{net::Milliseconds{3'000}, net::Milliseconds{5'000}, 1 << 20};

}  // namespace

/// Carries what a socket tells onto the loop.
class NetLink::Handler final : public net::SocketHandler {
 public:
  Handler(NetLink& link, Loop& loop, uint64_t attempt)
      : link_(link), loop_(loop), attempt_(attempt) {}

  void on_open(std::shared_ptr<net::Socket> socket) override {
    loop_.post([this_link = &link_, attempt = attempt_, socket = std::move(socket)] {
      if (attempt != this_link->attempt_) return socket->close("too late");
      this_link->socket_ = socket;
      this_link->events_.on_open();
    });
  }
  void on_text(std::string text, std::function<void()> done) override {
    loop_.post(
        [this_link = &link_, attempt = attempt_, text = std::move(text), done = std::move(done)] {
          if (attempt == this_link->attempt_) this_link->events_.on_text(text);
          done();
        });
  }
  void on_close(const Error& reason) override {
    loop_.post(
        [this_link = &link_, attempt = attempt_, reason] { this_link->closed(attempt, reason); });
  }

 private:
  NetLink& link_;
  Loop& loop_;
  uint64_t attempt_;
};

NetLink::NetLink(net::Url url, ExchangeFacts facts, std::shared_ptr<const net::Signer> signer,
                 Loop& loop, LinkEvents events)
    : url_(std::move(url)),
      facts_(std::move(facts)),
      signer_(std::move(signer)),
      loop_(loop),
      events_(std::move(events)),
      http_thread_([this] { http_.run([] { return std::chrono::hours(1); }, [] {}); }) {}

NetLink::~NetLink() {
  http_.stop();
  http_thread_.join();
}

void NetLink::connect() {
  const uint64_t attempt = ++attempt_;
  http_.post([this, attempt] {
    net::Client client(url_, nullptr, kPatience);
    const auto answer = client.get("/v1/exchange");
    Result<void> good{};
    uint64_t now_ms = 0;
    if (!answer) {
      good = fail(answer.error());
    } else if (const auto facts = parse_exchange(answer->body); !facts) {
      good = fail(facts.error());
    } else if (facts->identity != facts_.identity ||
               facts->domain().separator() != facts_.domain().separator()) {
      good = fail(ErrorCode::unauthenticated, "at this address is another exchange now");
    } else {
      now_ms = facts->time_ms != 0 ? facts->time_ms : system_clock().now().ms;
    }
    loop_.post([this, attempt, good = std::move(good), now_ms] {
      if (!good) return closed(attempt, good.error());
      if (attempt == attempt_) open_socket(attempt, now_ms);
    });
  });
}

void NetLink::open_socket(uint64_t attempt, uint64_t now_ms) {
  const net::Headers headers = signer_->sign("GET", "/v1/agent", "", "", UnixMs{now_ms});
  io_.connect(url_, "/v1/agent", headers, std::make_shared<Handler>(*this, loop_, attempt));
}

void NetLink::closed(uint64_t attempt, const Error& why) {
  if (attempt != attempt_) return;
  ++attempt_;
  socket_.reset();
  events_.on_close(why);
}

void NetLink::send(std::string text) {
  if (socket_) socket_->send(std::move(text));
}

void NetLink::close(const std::string& why) {
  if (socket_) socket_->close(why);
  // Its end may take its time to be told, or never come: nothing of it counts from now on.
  loop_.post([this, attempt = attempt_, why] { closed(attempt, {ErrorCode::unavailable, why}); });
}

void NetLink::post(uint64_t number, const std::string& target, std::string body) {
  http_.post([this, number, target, body = std::move(body)] {
    net::Client client(url_, nullptr, kPatience);
    auto answer = client.post(target, body);
    Result<void> result{};
    if (!answer) result = fail(std::move(answer).error());
    loop_.post([this, number, result = std::move(result)] { events_.on_posted(number, result); });
  });
}

}  // namespace mizan::provider
