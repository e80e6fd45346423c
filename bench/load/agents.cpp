// Many connected agents with many live asks: the memory of the exchange.
// SPDX-License-Identifier: Apache-2.0
#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"
#include "load/exchange_process.hpp"
#include "load/ladder.hpp"
#include "load/parts.hpp"
#include "load/scopes.hpp"
#include "market_world.hpp"
#include "net/auth.hpp"
#include "net/websocket.hpp"

#include <boost/json/object.hpp>
#include <fmt/core.h>

#include <sys/resource.h>

namespace mizan::bench {
namespace {

using namespace std::chrono_literals;

/// What all agents together have seen.
struct Counts {
  std::atomic<size_t> open = 0;
  std::atomic<size_t> closed = 0;
  std::atomic<size_t> replies = 0;
  std::atomic<size_t> refused = 0;
};

class Agent final : public net::SocketHandler {
 public:
  explicit Agent(Counts& counts) : counts_(counts) {}
  void on_open(std::shared_ptr<net::Socket> socket) override {
    socket_ = std::move(socket);
    ++counts_.open;
  }
  void on_text(std::string text, std::function<void()> done) override {
    if (text.find("\"reply\"") != std::string::npos) ++counts_.replies;
    if (text.find("\"error\"") != std::string::npos && counts_.refused++ == 0)
      fmt::print("{}\n", text);
    done();
  }
  void on_close(const Error& reason) override {
    if (counts_.closed++ == 0) fmt::print("an agent's connection ended: {}\n", reason.message);
  }
  void send(std::string text) { socket_->send(std::move(text)); }

 private:
  Counts& counts_;
  std::shared_ptr<net::Socket> socket_;
};

template <class Condition>
void wait_for(const char* what, Condition condition) {
  const auto deadline = Time::now() + 300s;
  while (!condition()) {
    if (Time::now() > deadline) {
      fmt::print(stderr, "load_bench: {} took more than 300 s\n", what);
      std::exit(1);
    }
    std::this_thread::sleep_for(10ms);
  }
}

std::string ask_message(const eip712::Domain& domain, const SecretKey& key, Market& market,
                        uint64_t nonce, uint64_t now_s) {
  const market::Ask form = market.ask(nonce);
  const json::object attributes{
      {"cores",
       {{"source", "measured"}, {"value", form.attributes.number(market::Field::cores) / 1000}}},
      {"country", {{"source", "attested"}, {"value", "DE"}}},
      {"memory_gb",
       {{"source", "measured"},
        {"value", form.attributes.number(market::Field::memory_gb) / 1000}}}};
  eip712::Ask ask;
  ask.provider = key.address();
  ask.chip = form.attributes.word(market::Field::chip);
  ask.nodes = form.nodes;
  ask.units_per_node = form.units_per_node;
  ask.min_units = 1;
  ask.rate = form.rate.nano;
  ask.until = now_s + 1'000'000;
  ask.max_seconds = 100'000;
  ask.attributes_hash = must(canonical_json_hash(attributes));
  ask.nonce = nonce;
  return json_text(json::object{{"type", "ask"},
                                {"id", nonce},
                                {"ask", to_json(ask)},
                                {"attributes", attributes},
                                {"signature", to_json(eip712::sign(domain, ask, key))}});
}

}  // namespace

void agents_scope(const LoadOptions& options) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  ExchangeProcess exchange(options, SecretKey::generate().address());
  const auto domain = eip712::Domain::credits(exchange.id());
  const auto url = must(net::parse_url(exchange.url()));
  const uint64_t idle = exchange.resident_bytes();
  Counts counts;
  std::vector<SecretKey> keys;
  std::vector<std::shared_ptr<Agent>> agents;
  for (uint64_t i = 0; i < options.agents; ++i) {
    keys.push_back(SecretKey::generate());
    agents.push_back(std::make_shared<Agent>(counts));
  }
  net::IoThread io;
  for (uint64_t i = 0; i < options.agents; ++i) {
    const net::Signer signer(domain, keys[i].clone());
    io.connect(url, "/v1/agent", signer.sign("GET", "/v1/agent", "", "", system_clock().now()),
               agents[i]);
    wait_for("connecting", [&] { return counts.open + counts.closed + 200 > i; });
  }
  wait_for("connecting", [&] { return counts.open + counts.closed == options.agents; });
  const uint64_t connected = exchange.resident_bytes();
  fmt::print("{} agents connected: {} MB, {:.1f} KB each (idle: {} MB)\n", counts.open.load(),
             connected >> 20,
             static_cast<double>(connected - idle) / 1024.0 / static_cast<double>(options.agents),
             idle >> 20);
  Market market(5);
  const uint64_t now_s = system_clock().now().seconds();
  for (uint64_t n = 0; n < options.asks; ++n) {
    const uint64_t which = n % options.agents;
    agents[which]->send(ask_message(domain, keys[which], market, 1 + n / options.agents, now_s));
    wait_for("placing", [&] { return counts.replies + counts.refused + 5000 > n; });
  }
  wait_for("placing", [&] { return counts.replies + counts.refused == options.asks; });
  fmt::print("{} asks live, {} refused: {} MB resident, {} MB at most\n", counts.replies.load(),
             counts.refused.load(), exchange.resident_bytes() >> 20, exchange.peak_bytes() >> 20);
  if (counts.closed != 0) fmt::print("{} connections ended on the way\n", counts.closed.load());
}

}  // namespace mizan::bench
