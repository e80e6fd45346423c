#include "simulation/network.hpp"

namespace mizan::simulation {
namespace {

constexpr uint64_t kPatienceMs = 5'000;  ///< of who asked
constexpr uint64_t kIdleMs = 20'000;     ///< of a connection, as net::SocketOptions has it
constexpr uint64_t kPieceBytes = 1'000;  ///< of an upload

Error gone(const std::string& why) {
  return Error{ErrorCode::unavailable, why, {}};
}

}  // namespace

struct Network::Call {
  Place from;
  net::Request request;
  std::function<void(Heard)> heard;
  bool upload = false;
  uint64_t life = 0;
};

Network::Place Network::join() {
  parted_until_.push_back(0);
  return parted_until_.size() - 1;
}

void Network::part(Place place, uint64_t ms) {
  parted_until_[place] = world_.scheduler.now_ms() + ms;
  world_.trouble(place, ms);
}

uint64_t Network::delay(Place place, uint64_t after_ms) {
  if (!world_.faults.strikes(Fault::delay, 100)) return random_.between(1, 4);
  const uint64_t ms = random_.between(200, 4'000);
  world_.trouble(place, after_ms + ms);
  return ms;
}

uint64_t Network::arrival_in(Place place) {
  const uint64_t now = world_.scheduler.now_ms();
  const uint64_t waits = parted_until_[place] > now ? parted_until_[place] - now : 0;
  return waits + delay(place, waits);
}

void Network::serve(net::Handler* handler) {
  handler_ = handler;
  ++life_;
  // Whoever waited for the server that is gone hears the connection's end, or nothing.
  for (const auto& weak : std::exchange(calls_, {}))
    if (const auto call = weak.lock()) settle(call, {}, delay(call->from));
  for (const auto& weak : std::exchange(connections_, {}))
    if (const auto connection = weak.lock()) {
      connection->server_ended_ = true;
      connection->handler_.reset();
      connection->end_client(gone("the exchange went away"), arrival_in(connection->place_));
    }
}

void Network::settle(const std::shared_ptr<Call>& call, Heard heard, uint64_t in_ms) {
  if (!call->heard) return;
  world_.scheduler.after(in_ms, [tell = std::exchange(call->heard, nullptr),
                                 heard = std::move(heard)] { tell(heard); });
}

void Network::request(Place from, net::Request request, std::function<void(Heard)> heard,
                      bool upload) {
  auto call = std::make_shared<Call>();
  *call = {from, std::move(request), std::move(heard), upload, life_};
  if (parted(from) || world_.faults.strikes(Fault::loss, 200)) {
    world_.trouble(from, kPatienceMs);
    return settle(call, {}, kPatienceMs);
  }
  uint64_t in_ms = delay(from);
  if (world_.faults.strikes(Fault::reordering, 300)) in_ms += random_.below(300);
  // A request that comes twice: the second one's answer finds nobody who listens.
  if (world_.faults.strikes(Fault::duplication, 200))
    world_.scheduler.after(in_ms + random_.below(3'000), [this, call] { arrive(call, false); });
  world_.scheduler.after(in_ms, [this, call] { arrive(call, true); });
}

void Network::arrive(const std::shared_ptr<Call>& call, bool answered) {
  if (handler_ == nullptr) {
    if (answered) settle(call, {}, delay(call->from));
    return;
  }
  call->life = life_;
  if (answered) {
    if (calls_.size() > 1'000)
      std::erase_if(calls_, [](const auto& weak) { return weak.expired(); });
    calls_.push_back(call);
  }
  if (!call->upload) return hand_over(call, nullptr, answered);
  handler_->plan(
      call->request, [this, call, answered, life = life_](const Result<net::BodyPlan>& plan) {
        if (life != life_ || handler_ == nullptr) return;
        if (!plan) {
          const net::Response refused = net::error_response(plan.error());
          if (answered) settle(call, {refused.status, refused.body}, delay(call->from));
          return;
        }
        const std::string& body = call->request.body;
        for (size_t at = 0; plan->sink && at < body.size(); at += kPieceBytes)
          if (!plan->sink->write(as_bytes(std::string_view(body).substr(at, kPieceBytes)))) return;
        hand_over(call, plan->sink, answered);
      });
}

void Network::hand_over(const std::shared_ptr<Call>& call, std::shared_ptr<net::BodySink> sink,
                        bool answered) {
  net::Request request = call->request;
  if (sink) request.body.clear();
  handler_->handle(std::move(request), std::move(sink),
                   [this, call, answered, life = life_](const net::Response& response) {
                     if (life != life_) return;
                     if (on_answer) on_answer(call->request, response);
                     if (!answered) return;
                     if (parted(call->from) || world_.faults.strikes(Fault::loss, 200)) {
                       world_.trouble(call->from, kPatienceMs);
                       return settle(call, {}, kPatienceMs);
                     }
                     settle(call, {response.status, response.body}, delay(call->from));
                   });
}

std::shared_ptr<Connection> Network::connect(Place from, net::Request head,
                                             std::shared_ptr<Ear> ear) {
  auto connection = std::make_shared<Connection>(*this, from, std::move(ear));
  if (parted(from)) {
    world_.trouble(from, kPatienceMs);
    connection->end_client(gone("nobody answers"), kPatienceMs);
    return connection;
  }
  world_.scheduler.after(delay(from), [this, connection, head = std::move(head)] {
    if (connection->client_ended_) return;
    if (handler_ == nullptr)
      return connection->end_client(gone("refused"), delay(connection->place_));
    std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
    connections_.push_back(connection);
    connection->life_ = life_;
    handler_->upgrade(head, [this, connection, life = life_](
                                const Result<std::shared_ptr<net::SocketHandler>>& handler) {
      if (life != life_) return;
      if (!handler) return connection->end_client(handler.error(), delay(connection->place_));
      connection->open(*handler);
    });
  });
  return connection;
}

/// What the server holds of a connection.
class Connection::ServerSocket final : public net::Socket {
 public:
  explicit ServerSocket(std::shared_ptr<Connection> connection)
      : connection_(std::move(connection)) {}
  using net::Socket::send;
  void send(std::string text, std::function<void()> sent) override {
    connection_->send_down(std::move(text), std::move(sent));
  }
  void close(std::string reason) override { connection_->close_down(reason); }

 private:
  std::shared_ptr<Connection> connection_;
};

void Connection::open(const std::shared_ptr<net::SocketHandler>& handler) {
  handler_ = handler;
  Scheduler& scheduler = network_.world_.scheduler;
  down_free_at_ms_ = scheduler.now_ms() + network_.arrival_in(place_);
  scheduler.after(down_free_at_ms_ - scheduler.now_ms(), [self = shared_from_this()] {
    if (self->ear_ && !self->client_ended_) self->ear_->on_open();
  });
  handler->on_open(std::make_shared<ServerSocket>(shared_from_this()));
  if (client_ended_) end_server(gone("the client went away"), network_.arrival_in(place_));
}

/// Chance ends the connection; what is on its way is lost.
bool Connection::may_break() {
  Faults& faults = network_.world_.faults;
  const uint64_t now = network_.world_.scheduler.now_ms();
  const bool dead = network_.parted_until_[place_] > now + kIdleMs;
  if (!dead && !faults.strikes(Fault::broken_link, 20)) return false;
  const bool late = dead || faults.strikes(Fault::half_open, 5'000);
  const bool client_first = network_.random_.chance(5'000);
  network_.world_.trouble(place_, late ? kIdleMs : 1);
  end_client(gone("the connection broke"), late && !client_first ? kIdleMs : 1);
  end_server(gone("the connection broke"), late && client_first ? kIdleMs : 1);
  return true;
}

void Connection::send(std::string text) {
  if (client_ended_ || !handler_ || may_break()) return;
  Scheduler& scheduler = network_.world_.scheduler;
  const uint64_t now = scheduler.now_ms();
  up_free_at_ms_ = std::max(up_free_at_ms_, now + network_.arrival_in(place_));
  const int times = network_.world_.faults.strikes(Fault::duplication, 50) ? 2 : 1;
  scheduler.after(up_free_at_ms_ - now, [self = shared_from_this(), text = std::move(text), times] {
    for (int i = 0; i < times; ++i) self->inbox_.push_back(text);
    self->deliver_up();
  });
}

void Connection::deliver_up() {
  if (server_ended_ || server_busy_ || inbox_.empty() || !handler_) return;
  std::string text = std::move(inbox_.front());
  inbox_.pop_front();
  server_busy_ = true;
  handler_->on_text(std::move(text), [self = shared_from_this(), life = life_] {
    if (life != self->network_.life_) return;
    self->server_busy_ = false;
    if (!self->inbox_.empty())
      self->network_.world_.scheduler.after(0, [self] { self->deliver_up(); });
  });
}

void Connection::send_down(std::string text, std::function<void()> sent) {
  if (server_ended_ || life_ != network_.life_ || may_break()) return;
  Scheduler& scheduler = network_.world_.scheduler;
  const uint64_t now = scheduler.now_ms();
  down_free_at_ms_ = std::max(down_free_at_ms_, now + network_.arrival_in(place_));
  const int times = network_.world_.faults.strikes(Fault::duplication, 50) ? 2 : 1;
  scheduler.after(down_free_at_ms_ - now,
                  [self = shared_from_this(), text = std::move(text), times] {
                    for (int i = 0; i < times && self->ear_ && !self->client_ended_; ++i)
                      self->ear_->on_text(text);
                  });
  if (sent)
    scheduler.after(1, [self = shared_from_this(), sent = std::move(sent)] {
      if (self->life_ == self->network_.life_) sent();
    });
}

void Connection::close_down(const std::string& why) {
  if (server_ended_) return;
  const uint64_t now = network_.world_.scheduler.now_ms();
  end_client(gone(why), std::max(down_free_at_ms_, now + network_.arrival_in(place_)) - now);
  end_server(gone("closed: " + why), 1);
}

void Connection::close() {
  ear_.reset();
  if (client_ended_) return;
  client_ended_ = true;
  end_server(gone("the client went away"), network_.arrival_in(place_));
}

void Connection::end_client(const Error& why, uint64_t in_ms) {
  if (client_ended_) return;
  network_.world_.scheduler.after(in_ms, [self = shared_from_this(), why] {
    if (self->client_ended_) return;
    self->client_ended_ = true;
    if (const auto ear = std::exchange(self->ear_, nullptr)) ear->on_close(why);
  });
}

void Connection::end_server(const Error& why, uint64_t in_ms) {
  if (server_ended_ || !handler_) return;
  server_ended_ = true;
  network_.world_.scheduler.after(in_ms, [self = shared_from_this(), why] {
    const auto handler = std::exchange(self->handler_, nullptr);
    if (handler && self->life_ == self->network_.life_) handler->on_close(why);
  });
}

}  // namespace mizan::simulation
