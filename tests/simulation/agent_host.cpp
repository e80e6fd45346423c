#include "simulation/agent_host.hpp"

#include "codec/json_fields.hpp"
#include "provider/wire.hpp"

#include <fmt/format.h>

namespace mizan::simulation {

using namespace provider;

/// What the network tells of one connection.
class AgentHost::Hearing final : public Ear {
 public:
  Hearing(AgentHost& host, uint64_t attempt) : host_(host), attempt_(attempt) {}
  void on_open() override {
    if (attempt_ != host_.attempt_) return;
    host_.opened_ = true;
    host_.with_agent([](Agent& agent) { agent.on_open(); });
  }
  void on_text(const std::string& text) override {
    if (attempt_ != host_.attempt_) return;
    host_.check_reply(text);
    host_.with_agent([&](Agent& agent) { agent.on_text(text); });
  }
  void on_close(const Error& why) override { host_.closed(attempt_, why); }

 private:
  AgentHost& host_;
  uint64_t attempt_;
};

AgentHost::AgentHost(Surroundings& world, Network& network, ExchangeHost& exchange,
                     std::string name)
    : world_(world),
      network_(network),
      exchange_(exchange),
      name_(std::move(name)),
      random_(world.random.fork(name_)),
      clock_(world.scheduler),
      key_(world.key(name_)),
      place_(network.join()),
      store_(world, name_),
      machine_(world, name_, static_cast<uint32_t>(random_.between(1, 8))),
      signer_(exchange.domain(), key_.clone()) {
  const uint32_t units = machine_.units();
  facts_.id = exchange.keys().exchange_id();
  facts_.identity = exchange.keys().identity.address();
  facts_.meter = exchange.keys().meter.address();
  facts_.clearance = exchange.keys().clearance.address();
  if (!exchange.domain().is_credits()) facts_.chain = exchange.domain();
  facts_.fee_bps = exchange.config().fee_bps;
  facts_.voucher_interval_s = exchange.config().voucher_interval_s;
  facts_.readiness_s = exchange.config().readiness_s;
  config_.offer.capacity = {units, uint64_t{4} * units, uint64_t{10} * units};
  config_.offer.attributes = fmt::format(
      R"({{"cores":{{"source":"measured","value":{}}},"country":{{"source":"self_reported","value":"SG"}},)"
      R"("memory_gb":{{"source":"measured","value":{}}},"network":{{"source":"self_reported","value":"{}"}}}})",
      units, 4 * units, name_);
  config_.offer.rate = Rate{random_.between(500, 2'000)};
  config_.offer.max_seconds = 3'600;
  config_.boot_id = name_ + "-boot-1";
  if (world.faults.on(Fault::clock_drift)) {
    clock_.drift_ppm = static_cast<int64_t>(random_.below(200)) - 100;
    world.faults.note(Fault::clock_drift);
  }
  if (Random mind = world.random.fork("lie " + name_);
      world.faults.on(Fault::lying_agent) && mind.chance(5'000)) {
    lie_ = mind.between(2, 40);
    world.faults.note(Fault::lying_agent);
  }
  machine_.set_store(
      [this](const std::string& body, const Hash32& hash, std::function<void(Result<void>)> done) {
        store_artifact(body, hash, std::move(done));
      });
}

AgentHost::~AgentHost() {
  if (connection_) connection_->close();
}

void AgentHost::start() {
  if (agent_) return;
  ++life_;
  machine_.set_agent([this](BackendEvent event) {
    with_agent([&](Agent& agent) { agent.on_backend(std::move(event)); });
  });
  agent_ =
      std::make_unique<Agent>(config_, AgentParts{facts_, key_, machine_, store_, *this, clock_,
                                                  [this] { return random_.next(); },
                                                  [this](const Notice& notice) { hear(notice); }});
  if (const auto started = agent_->start(); !started) {
    world_.expect(started.error().code == ErrorCode::io_error,
                  name_ + " does not start: " + started.error().message);
    return kill(false, 2'000);
  }
  arm();
}

/// One in eight of the replies: most are to heartbeats, and each takes its time.
void AgentHost::check_reply(const std::string& text) {
  if (text.find("\"acknowledgement\"") == std::string::npos || ++replies_ % 8 != 0) return;
  const auto value = parse_json(text);
  world_.expect(value.has_value(), "a reply does not parse");
  if (value) exchange_.told(*value);
}

void AgentHost::hear(const Notice& notice) {
  world_.expect(notice.text.find("is not understood") == std::string::npos,
                name_ + ": " + notice.text);
  if (agent_ && notice.text.starts_with("turned down: "))
    turned_down_[notice.lease] = {
        world_.scheduler.now_ms(),      notice.text, agent_->status().leases, ask_, asked_at_ms_,
        store_.failed_at_ms("ask.json")};
  if (!world_.talks) return;
  const std::string lease = hex(notice.lease.view()).substr(0, 8);
  world_.say(name_, (notice.lease.is_zero() ? "" : lease + " ") + notice.text);
}

void AgentHost::kill(bool machine_too, uint64_t ms) {
  world_.trouble(place_, ms);
  died_at_ms_ = world_.scheduler.now_ms();
  if (machine_too) machine_died_at_ms_ = died_at_ms_;
  agent_.reset();
  ++life_;
  ++attempt_;
  opened_ = false;
  failed_in_a_row_ = 0;
  armed_at_ms_ = 0;
  if (connection_) std::exchange(connection_, nullptr)->close();
  machine_.set_agent(nullptr);
  if (machine_too) {
    machine_.machine_died();
    store_.machine_died();
    clock_.reboot();
    config_.boot_id = fmt::format("{}-boot-{}", name_, ++boots_);
  }
  world_.scheduler.after(ms, [this, life = life_] {
    if (life == life_) start();
  });
}

template <class F>
void AgentHost::with_agent(F&& f) {
  if (!agent_) return;
  f(*agent_);
  arm();
}

void AgentHost::arm() {
  const uint64_t wanted = agent_->next_wakeup().ms;
  const uint64_t now = clock_.monotonic().ms;
  const uint64_t in_ms = wanted > now ? std::min<uint64_t>(wanted - now, 60'000) : 1;
  const uint64_t at = world_.scheduler.now_ms() + in_ms;
  if (armed_at_ms_ != 0 && armed_at_ms_ <= at) return;
  armed_at_ms_ = at;
  world_.scheduler.after(in_ms, [this, at, life = life_] {
    if (life != life_ || armed_at_ms_ != at) return;
    armed_at_ms_ = 0;
    with_agent([](Agent& agent) { agent.tick(); });
  });
}

void AgentHost::connect() {
  const uint64_t attempt = ++attempt_;
  net::Request request;
  request.method = "GET";
  request.target = "/v1/exchange";
  network_.request(place_, std::move(request), [this, attempt](const Heard& heard) {
    if (attempt != attempt_) return;
    if (heard.status != 200) return closed(attempt, {ErrorCode::unavailable, "no answer", {}});
    const auto facts = parse_exchange(heard.body);
    world_.expect(facts && facts->identity == facts_.identity && facts->fee_bps == facts_.fee_bps,
                  "the exchange describes itself otherwise");
    if (!facts) return closed(attempt, facts.error());
    open_socket(attempt, facts->time_ms);
  });
}

void AgentHost::open_socket(uint64_t attempt, uint64_t now_ms) {
  net::Request head;
  head.method = "GET";
  head.target = "/v1/agent";
  head.headers = signer_.sign("GET", head.target, "", "", UnixMs{now_ms});
  connection_ =
      network_.connect(place_, std::move(head), std::make_shared<Hearing>(*this, attempt));
}

void AgentHost::closed(uint64_t attempt, const Error& why) {
  if (attempt != attempt_) return;
  ++attempt_;
  connection_.reset();
  // It may try again after a quarter of a second, twice that the next time, and 5 s at most.
  if (std::exchange(opened_, false)) failed_in_a_row_ = 0;
  const uint64_t wait_ms = std::min<uint64_t>(5'000, 250 << std::min(failed_in_a_row_++, 10U));
  const uint64_t now = world_.scheduler.now_ms();
  world_.troubles.note_wait(place_, now, now + wait_ms);
  with_agent([&](Agent& agent) { agent.on_close(why); });
}

void AgentHost::note_ask(const std::string& message) {
  const auto value = parse_json(message);
  const json::value* said = value ? value->as_object().if_contains("ask") : nullptr;
  const auto ask =
      said == nullptr ? fail(ErrorCode::internal, "") : from_json<eip712::Ask>(*said, "ask");
  world_.expect(ask.has_value(), "an agent's ask does not parse");
  if (!ask) return;
  const OrderId id = eip712::digest(exchange_.domain(), *ask);
  if (id == ask_) return;
  ask_ = id;
  asked_at_ms_ = world_.scheduler.now_ms();
}

void AgentHost::send(std::string text) {
  if (text.find("\"type\":\"ask\"") != std::string::npos) note_ask(text);
  if (lies() && text.find("\"ranMs\"") != std::string::npos) text = lied(text);
  if (connection_) connection_->send(std::move(text));
}

/// Saved up while it is heard, for the times in which it is not.
std::string AgentHost::lied(const std::string& heartbeat) const {
  const auto value = parse_json(heartbeat);
  uint64_t id = 0;
  eip712::Heartbeat beat;
  ObjectReader in(*value, "message");
  in.required("id", id);
  in.required("heartbeat", beat);
  world_.expect(!in.failed(), "an agent's heartbeat does not parse");
  for (eip712::LeaseStatus& status : beat.leases) status.ran_ms *= lie_;
  return heartbeat_message(id, beat, eip712::sign(exchange_.domain(), beat, key_));
}

void AgentHost::close(const std::string& why) {
  if (connection_) connection_->close();
  world_.scheduler.after(0, [this, attempt = attempt_, why] {
    closed(attempt, {ErrorCode::unavailable, why, {}});
  });
}

void AgentHost::post(uint64_t number, const std::string& target, std::string body) {
  net::Request request;
  request.method = "POST";
  request.target = target;
  request.body = std::move(body);
  network_.request(place_, std::move(request), [this, number, life = life_](const Heard& heard) {
    if (life != life_) return;
    Result<void> result{};
    if (heard.status == 0)
      result = fail(ErrorCode::unavailable, "no answer");
    else if (heard.status >= 400)
      result = fail(net::parse_error(heard.status, heard.body));
    with_agent([&](Agent& agent) { agent.on_posted(number, result); });
  });
}

void AgentHost::store_artifact(const std::string& body, const Hash32& name,
                               std::function<void(Result<void>)> done) {
  net::Request request;
  request.method = "PUT";
  request.target = "/v1/artifacts/" + hex0x(name.view());
  request.headers = signer_.sign("PUT", request.target, "", "", exchange_.time());
  request.content_length = body.size();
  request.body = body;
  network_.request(
      place_, std::move(request),
      [done = std::move(done)](const Heard& heard) {
        if (heard.status == 0) return done(fail(ErrorCode::unavailable, "no answer"));
        if (heard.status >= 400) return done(fail(net::parse_error(heard.status, heard.body)));
        done({});
      },
      true);
}

}  // namespace mizan::simulation
