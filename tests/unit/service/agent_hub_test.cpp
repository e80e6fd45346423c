// What an exchange tells agents of their asks, how much it keeps of their logs, and which
// heartbeats for buyers that meter themselves.
#include "service/agent_hub.hpp"

#include "codec/base64.hpp"
#include "service/world.hpp"
#include "support/core_world.hpp"

#include <gtest/gtest.h>

namespace mizan::service {

TEST(AgentHub, KeepsNoHeartbeatThatOnlyTakesRoom) {
  test::CoreWorld w;
  w.grant(test::party(1), 1'000'000);
  w.ok(w.ask(2, 10));
  const LeaseId lease = w.ok(w.bid(1, 20)).leases.at(0);
  w.accept(lease);
  const auto named = [&](size_t strange, size_t own, uint8_t provider = 2) {
    std::vector<eip712::LeaseStatus> all(own, w.status(lease, 2, 0, 1));
    all.resize(own + strange);
    return is_kept(w.heartbeat(provider, std::move(all)), w.core);
  };
  EXPECT_TRUE(named(0, 1));
  EXPECT_TRUE(named(60, 1)) << "it may not have heard of their end";
  EXPECT_FALSE(named(4'000, 1));
  EXPECT_FALSE(named(0, 4'000)) << "one lease again and again";
  EXPECT_FALSE(named(1, 0));
  EXPECT_FALSE(named(0, 1, 3)) << "another provider's";
  w.beat(lease, 4, 0, 0);
  w.ok(exchange::Close{{lease, 0}, {}});
  EXPECT_TRUE(named(0, 1)) << "its last voucher rests on it";
  w.finalize(lease);
  EXPECT_FALSE(named(0, 1));
}

TEST(AgentHub, TellsAnAgentWhichOfItsAsksGaveWay) {
  World w([](ServiceConfig& config) { config.limits.all_asks = 2; });
  const World::Open agent = w.open_market();
  const eip712::Ask second = w.ask(2);
  ASSERT_EQ(w.post("/v1/asks", w.ask_body(second)).status, 200U);
  EXPECT_TRUE(agent.socket->take("ask_ended").is_null());
  const SecretKey other = SecretKey::generate();
  eip712::Ask foreign = w.ask(1);
  foreign.provider = other.address();
  json::object body = w.ask_body(foreign);
  body["signature"] = w.signature(foreign, other);
  ASSERT_EQ(w.post("/v1/asks", body).status, 200U);
  const json::value told = agent.socket->take("ask_ended");
  ASSERT_TRUE(told.is_object());
  EXPECT_EQ(told.at("reason"), "displaced");
  EXPECT_EQ(told.at("ask"), to_json(eip712::digest(w.domain, second)));
  EXPECT_EQ(w.post("/v1/asks", w.ask_body(second)).code(), "replayed");
  EXPECT_EQ(w.post("/v1/asks", w.ask_body(w.ask(3))).code(), "limit_exceeded");
}

TEST(AgentHub, KnowsAfterARestartWhoseLogsFillTheStore) {
  World w([](ServiceConfig& config) { config.logs_bytes_max = 100; });
  World::Open agent = w.open_market();
  const LeaseId lease = w.funded_lease(agent);
  const auto log = [&](uint64_t offset, size_t bytes) {
    w.say(agent, json::object{{"type", "log"},
                              {"lease", to_json(lease)},
                              {"offset", offset},
                              {"data", base64(as_bytes(std::string(bytes, 'x')))}});
  };
  log(0, 50);
  EXPECT_EQ(agent.socket->take("log_ok").at("size"), 50);
  log(50, 1);
  EXPECT_EQ(agent.socket->take("error").at("code"), "limit_exceeded") << "half is left to others";
  w.restart();
  agent = w.open("/v1/agent", &w.provider);
  log(50, 1);
  EXPECT_EQ(agent.socket->take("error").at("code"), "limit_exceeded");
}

}  // namespace mizan::service
