// The desk that follows a contract: what it makes of a node that does not answer.
#include "service/chain_desk.hpp"

#include "service/world.hpp"

#include <algorithm>

namespace mizan::service {
namespace {

Address contract() {
  Address address;
  address.bytes[0] = 0xcc;
  return address;
}

void on_a_chain(ServiceConfig& config) {
  config.chain = ChainConfig{"http://127.0.0.1:1", 31337, contract(), 2, 0};
  config.settlement = exchange::ChainSettlement{
      31337, contract(), contract(), 6, 86'400, 2, {1, keccak256("first"), 1'800'000'000}};
}

TEST(ChainDesk, TellsTheExchangeThatTheChainIsAway) {
  settlement::Node node(settlement::JsonRpc::open("http://127.0.0.1:1", {.attempts = 1}).value(),
                        31337);
  const auto outbox = journal::make_memory_journal(keccak256("outbox"));
  const SecretKey gas = SecretKey::generate();
  const ChainParts parts{node, *outbox, gas};
  World world(on_a_chain, &parts);
  const auto away = [&](uint64_t after_ms) {
    world.clock.pass(after_ms);
    world.service->chain()->step();
    world.settle();
    EXPECT_EQ(world.get("/v1/health").body.at("chain").at("away"),
              json::value(!world.service->state().unlocked().opens().has_value()));
    return world.service->state().unlocked().chain_away();
  };
  EXPECT_FALSE(away(0));
  EXPECT_FALSE(away(300'000));
  EXPECT_TRUE(away(1));
  EXPECT_TRUE(away(1'000));
  EXPECT_EQ(std::ranges::count_if(world.lines,
                                  [](const std::string& line) {
                                    return line.find("event=chain_away") != std::string::npos;
                                  }),
            1);
  // An exchange that starts with a node that is away keeps to what it knew, and waits anew.
  world.restart();
  EXPECT_TRUE(world.service->state().unlocked().chain_away());
}

}  // namespace
}  // namespace mizan::service
