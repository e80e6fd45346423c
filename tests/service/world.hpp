// An exchange's service on one thread with a clock of its own: for tests of the whole API.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "crypto/hash.hpp"
#include "journal/memory_journal.hpp"
#include "service/service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <unistd.h>

namespace mizan::service {

inline std::string text_of(const json::value& value) {
  return std::string(value.as_string());
}

class ManualClock final : public Clock {
 public:
  UnixMs now() const override { return {wall}; }
  MonotonicMs monotonic() const override { return {mono}; }
  void pass(uint64_t ms) {
    wall += ms;
    mono += ms;
  }
  uint64_t wall = 1'800'000'000'000;
  uint64_t mono = 5'000;
};

/// Work waits until `run` is called.
class QueueExecutor final : public Executor {
 public:
  void post(std::function<void()> work) override { queue_.push_back(std::move(work)); }
  bool run() {
    if (queue_.empty()) return false;
    while (!queue_.empty()) {
      auto work = std::move(queue_.front());
      queue_.pop_front();
      work();
    }
    return true;
  }

 private:
  std::deque<std::function<void()>> queue_;
};

/// The far end of a WebSocket: keeps what it is sent.
class Received final : public net::Socket {
 public:
  explicit Received(QueueExecutor& later) : later_(later) {}
  using Socket::send;
  void send(std::string text, std::function<void()> sent) override {
    messages.push_back(parse_json(text).value());
    if (sent) later_.post(std::move(sent));
  }
  void close(std::string reason) override { closed = std::move(reason); }
  /// The first message of this type, taken out; null if there is none.
  json::value take(std::string_view type) {
    for (auto place = messages.begin(); place != messages.end(); ++place)
      if (place->at("type").as_string() == type) {
        json::value found = std::move(*place);
        messages.erase(place);
        return found;
      }
    return nullptr;
  }
  std::deque<json::value> messages;
  std::optional<std::string> closed;

 private:
  QueueExecutor& later_;
};

/// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mizan_test_XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::filesystem::path path;
};

struct Answered {
  unsigned status = 0;
  json::value body;
  net::Headers headers;
  std::string raw;
  std::string code() const {
    const json::value* found = body.is_object() ? body.as_object().if_contains("code") : nullptr;
    return found ? std::string(found->as_string()) : "";
  }
};

/// One exchange, its operator, a provider and a buyer. `restart` opens the service anew over the
/// same journal, as after a SIGKILL.
class World {
 public:
  explicit World(std::function<void(ServiceConfig&)> change = {}, const ChainParts* on = nullptr)
      : configure(std::move(change)), chain(on) {
    restart();
  }

  void restart() {
    auto opened = open_service();
    ASSERT_TRUE(opened) << opened.error().message;
    service = *std::move(opened);
  }
  Result<std::unique_ptr<Service>> open_service() {
    service.reset();
    pool = std::make_unique<QueueExecutor>();
    ServiceConfig config;
    config.operator_ = operator_key.address();
    config.fee_bps = 200;
    config.state = folder.path;
    config.log_bytes_max = 1000;
    config.artifacts.each_bytes = 100'000;
    if (configure) configure(config);
    return Service::open(config, {clock, *pool, *journal, keys, log, chain});
  }
  /// Until nothing is left to do.
  void settle() {
    while (pool->run() || service->step()) {
    }
  }
  void pass(uint64_t ms, uint64_t piece = 1000) {
    for (uint64_t done = 0; done < ms; done += piece) {
      clock.pass(std::min(piece, ms - done));
      settle();
    }
  }

  std::shared_ptr<net::Signer> signer(const SecretKey& key) const {
    return std::make_shared<net::Signer>(domain, key.clone());
  }
  Answered send(net::Request request, std::shared_ptr<net::BodySink> sink = nullptr) {
    std::optional<net::Response> got;
    service->handle(std::move(request), std::move(sink),
                    [&](net::Response response) { got = std::move(response); });
    settle();
    EXPECT_TRUE(got.has_value());
    Answered out;
    if (!got) return out;
    out.status = got->status;
    out.headers = got->headers;
    out.raw = got->body;
    if (got->file) {
      out.raw.resize(got->file->length());
      EXPECT_EQ(::pread(got->file->descriptor(), out.raw.data(), out.raw.size(),
                        static_cast<off_t>(got->file->offset())),
                static_cast<ssize_t>(out.raw.size()));
    } else if (got->content_type == "application/json") {
      out.body = parse_json(got->body, {.max_bytes = 8 << 20}).value();
    }
    return out;
  }
  net::Request request(std::string method, std::string target, std::string body,
                       const SecretKey* key = nullptr, const std::string& idempotency = "") const {
    net::Request made;
    if (key != nullptr)
      made.headers = signer(*key)->sign(method, target, body, idempotency, clock.now());
    else if (!idempotency.empty())
      made.headers.emplace_back("Idempotency-Key", idempotency);
    made.method = std::move(method);
    made.target = std::move(target);
    made.body = std::move(body);
    return made;
  }
  Answered get(const std::string& target, const SecretKey* key = nullptr) {
    return send(request("GET", target, "", key));
  }
  Answered post(const std::string& target, const json::value& body,
                const std::string& idempotency = "") {
    return send(request("POST", target, json_text(body), nullptr, idempotency));
  }
  /// An upload as the server does it: plan, pieces, the end.
  Answered put(const std::string& target, const std::string& body, const SecretKey& key) {
    net::Request made = request("PUT", target, "", &key);
    made.content_length = body.size();
    std::optional<Result<net::BodyPlan>> plan;
    service->plan(made, [&](Result<net::BodyPlan> answer) { plan = std::move(answer); });
    settle();
    Answered refused;
    if (!plan.has_value() || !*plan) {
      const net::Response response = net::error_response(plan->error());
      refused.status = response.status;
      refused.body = parse_json(response.body).value();
      return refused;
    }
    for (size_t at = 0; at < body.size(); at += 1000)
      EXPECT_TRUE((*plan)->sink->write(as_bytes(body.substr(at, 1000))));
    return send(std::move(made), (*plan)->sink);
  }

  /// A WebSocket on `target`, opened; null with `error` set if it was refused.
  struct Open {
    std::shared_ptr<net::SocketHandler> handler;
    std::shared_ptr<Received> socket;
    std::optional<Error> error;
  };
  Open open(const std::string& target, const SecretKey* key = nullptr) {
    Open out;
    out.socket = std::make_shared<Received>(*pool);
    service->upgrade(request("GET", target, "", key),
                     [&](Result<std::shared_ptr<net::SocketHandler>> answer) {
                       if (answer)
                         out.handler = *answer;
                       else
                         out.error = answer.error();
                     });
    settle();
    if (out.handler) out.handler->on_open(out.socket);
    settle();
    return out;
  }
  void say(const Open& channel, const json::value& message) {
    channel.handler->on_text(json_text(message), [] {});
    settle();
  }

  template <class Message>
  json::value signature(const Message& message, const SecretKey& key) const {
    return to_json(eip712::sign(domain, message, key));
  }
  json::object grant(const Address& to, u128 amount, uint64_t nonce = 1) const {
    const eip712::Grant made{to, amount, nonce, clock.now().seconds() + 60};
    return {{"grant", to_json(made)}, {"signature", signature(made, operator_key)}};
  }
  eip712::Ask ask(uint64_t nonce = 1) const {
    eip712::Ask made;
    made.provider = provider.address();
    made.chip = "cpu";
    made.nodes = 1;
    made.units_per_node = 4;
    made.min_units = 1;
    made.rate = 1000;
    made.from = clock.now().seconds() - 10;
    made.until = clock.now().seconds() + 100'000;
    made.min_seconds = 1;
    made.max_seconds = 3600;
    made.attributes_hash = keccak256(attributes);
    made.nonce = nonce;
    return made;
  }
  json::object ask_body(const eip712::Ask& made) const {
    return {{"ask", to_json(made)},
            {"attributes", parse_json(attributes).value()},
            {"signature", signature(made, provider)}};
  }
  static json::object spec() {
    return {{"job", {{"name", "t"}, {"run", "true"}}},
            {"query", ""},
            {"split", false},
            {"immediate_or_cancel", true}};
  }
  eip712::Bid bid(uint64_t nonce = 1, const json::object& wanted = spec()) const {
    const uint64_t now = clock.now().seconds();
    eip712::Bid made;
    made.buyer = buyer.address();
    made.meter = keys.meter.address();
    made.max_rate = 2000;
    made.nodes = 1;
    made.units_per_node = 2;
    made.max_seconds = 600;
    made.earliest_start = now - 60;
    made.latest_start = now + 60;
    made.valid_until = now + 60;
    made.all_or_none = true;
    made.grace = 30;
    made.max_total = 2000ULL * 2 * 600;
    made.max_fee_bps = 200;
    made.spec_hash = canonical_json_hash(wanted).value();
    made.nonce = nonce;
    return made;
  }
  json::object bid_body(const eip712::Bid& made, const json::object& wanted = spec()) const {
    return {{"bid", to_json(made)}, {"spec", wanted}, {"signature", signature(made, buyer)}};
  }
  json::object heartbeat(uint64_t sequence, std::vector<eip712::LeaseStatus> leases = {}) const {
    const eip712::Heartbeat made{provider.address(), sequence, clock.now().ms, std::move(leases)};
    return {{"type", "heartbeat"},
            {"id", sequence},
            {"heartbeat", to_json(made)},
            {"signature", signature(made, provider)}};
  }

  /// The operator's grant, the provider's ask on its channel, and a heartbeat.
  Open open_market() {
    EXPECT_EQ(post("/v1/grants", grant(buyer.address(), 1'000'000'000)).status, 200U);
    Open agent = open("/v1/agent", &provider);
    EXPECT_TRUE(agent.handler) << agent.error->message;
    json::object listing = ask_body(ask());
    listing["type"] = "ask";
    listing["id"] = 1;
    say(agent, listing);
    EXPECT_FALSE(agent.socket->take("reply").is_null());
    say(agent, heartbeat(1));
    EXPECT_FALSE(agent.socket->take("reply").is_null());
    return agent;
  }
  /// A bid's lease, accepted.
  LeaseId funded_lease(const Open& agent, uint64_t nonce = 1) {
    const Answered answer = post("/v1/bids", bid_body(bid(nonce)));
    EXPECT_EQ(answer.status, 200U) << answer.raw;
    const json::value match = agent.socket->take("match");
    const auto terms = from_json<eip712::Terms>(match.at("terms"), "terms").value();
    say(agent,
        {{"type", "accept"}, {"terms", to_json(terms)}, {"signature", signature(terms, provider)}});
    return eip712::digest(domain, terms);
  }

  static constexpr const char* kAttributes =
      R"({"cores":{"source":"measured","value":4},"memory_gb":{"source":"measured","value":8}})";

  static eip712::Domain domain_of(const std::function<void(ServiceConfig&)>& change,
                                  const ExchangeKeys& keys) {
    ServiceConfig config;
    if (change) change(config);
    if (!config.settlement) return eip712::Domain::credits(keys.exchange_id());
    return eip712::Domain::evm(config.settlement->chain_id, config.settlement->contract);
  }

  std::function<void(ServiceConfig&)> configure;
  const ChainParts* chain;  ///< null: credits
  std::string attributes = kAttributes;
  ManualClock clock;
  std::vector<std::string> lines;
  Log log{clock, [this](const std::string& line) { lines.push_back(line); }};
  TemporaryFolder folder;
  const ExchangeKeys keys = generate_keys();
  const SecretKey operator_key = SecretKey::generate();
  const SecretKey provider = SecretKey::generate();
  const SecretKey buyer = SecretKey::generate();
  const eip712::Domain domain = domain_of(configure, keys);
  std::unique_ptr<journal::Journal> journal = journal::make_memory_journal(keys.exchange_id());
  std::unique_ptr<QueueExecutor> pool;
  std::unique_ptr<Service> service;
};

}  // namespace mizan::service
