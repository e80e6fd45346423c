// The desk that follows a contract: what it makes of a node that does not answer.
#include "service/chain_desk.hpp"

#include "service/policy_world.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mizan::service {
namespace {

Address contract() {
  Address address;
  address.bytes[0] = 0xcc;
  return address;
}

constexpr uint64_t kStart = 1'800'000'000;

Hash32 hash_of(uint64_t block) {
  return keccak256("block " + std::to_string(block));
}

std::function<void(ServiceConfig&)> on_a_chain(uint64_t chain_id = 31337, uint64_t depth = 0) {
  return [chain_id, depth](ServiceConfig& config) {
    config.chain = ChainConfig{"http://127.0.0.1:1", chain_id, contract(), depth, 0};
    config.settlement = exchange::ChainSettlement{
        chain_id, contract(), contract(), 6, 86'400, depth, {1, hash_of(1), kStart}};
    if (chain_id != 31337) config.rules = shipped_rules();
  };
}

/// Blocks with nothing in them, or with one thing that can't be.
struct PlainNode {
  Result<std::string> operator()(const std::string& body) {
    if (dead) return fail(ErrorCode::unavailable, "connection refused");
    const json::object asked = parse_json(body)->get_object();
    const std::string_view method = asked.at("method").get_string();
    const json::array& params = asked.at("params").get_array();
    json::object out{{"jsonrpc", "2.0"}, {"id", asked.at("id")}, {"result", nullptr}};
    if (method == "eth_chainId") out["result"] = fmt::format("{:#x}", chain_id);
    if (method == "eth_getBlockByNumber") {
      const std::string which(params[0].get_string());
      const uint64_t number = which == "latest" ? head : std::stoull(which, nullptr, 16);
      if (number <= head)
        out["result"] = json::object{{"number", fmt::format("{:#x}", number)},
                                     {"hash", hex0x(hash_of(number).view())},
                                     {"parentHash", hex0x(hash_of(number - 1).view())},
                                     {"timestamp", fmt::format("{:#x}", kStart + number * 12)},
                                     {"baseFeePerGas", "0x7"}};
    }
    if (method == "eth_getLogs") out["result"] = ahead ? log_ahead() : logs();
    return json_text(out);
  }
  json::array logs() const {
    if (!lies) return {};
    Bytes amount(32, 0);
    amount[31] = 1;
    const std::string nobody = hex0x(Hash32{}.view());
    const std::string topic = hex0x(keccak256("Withdrawn(address,address,uint256)").view());
    return {json::object{{"address", hex0x(contract().view())},
                         {"topics", {topic, nobody, nobody}},
                         {"data", hex0x(amount)},
                         {"blockNumber", fmt::format("{:#x}", head)},
                         {"blockHash", hex0x(hash_of(head).view())},
                         {"transactionHash", hex0x(hash_of(head).view())},
                         {"logIndex", "0x0"}}};
  }
  json::array log_ahead() const {
    const bool stops = ahead->event.starts_with("CloseRequested");
    return {json::object{
        {"address", hex0x(contract().view())},
        {"topics", {hex0x(keccak256(ahead->event).view()), hex0x(ahead->lease.view())}},
        {"data", hex0x(Bytes(stops ? 64 : 32, 0))},
        {"blockNumber", fmt::format("{:#x}", ahead->block)},
        {"blockHash", hex0x(hash_of(ahead->block).view())},
        {"transactionHash", hex0x(hash_of(ahead->block).view())},
        {"logIndex", "0x0"}}};
  }
  struct Ahead {
    std::string event;
    LeaseId lease;
    uint64_t block;
  };
  uint64_t chain_id = 31337;
  uint64_t head = 1;
  std::optional<Ahead> ahead{};  ///< what a block tells that is not deep enough
  bool dead = false;
  bool lies = false;
};

/// An exchange on the chain of such a node.
struct OnANode {
  explicit OnANode(uint64_t chain_id = 31337, uint64_t depth = 0)
      : plain{.chain_id = chain_id},
        node(
            settlement::JsonRpc("the node", [this](const std::string& body) { return plain(body); },
                                {.attempts = 1}),
            chain_id),
        outbox(journal::make_memory_journal(keccak256("outbox"))),
        gas(SecretKey::generate()),
        parts{node, *outbox, gas},
        world(on_a_chain(chain_id, depth), &parts) {}

  /// After a few rounds `after_ms` later.
  bool away(uint64_t after_ms) {
    world.clock.pass(after_ms);
    for (int i = 0; i < 4; ++i) {
      world.service->chain()->step();
      world.settle();
    }
    return world.service->state().unlocked().chain_away();
  }

  PlainNode plain;
  settlement::Node node;
  std::unique_ptr<journal::Journal> outbox;
  SecretKey gas;
  ChainParts parts;
  World world;
};

TEST(ChainDesk, TellsTheExchangeThatTheChainIsAway) {
  settlement::Node node(settlement::JsonRpc::open("http://127.0.0.1:1", {.attempts = 1}).value(),
                        31337);
  const auto outbox = journal::make_memory_journal(keccak256("outbox"));
  const SecretKey gas = SecretKey::generate();
  const ChainParts parts{node, *outbox, gas};
  World world(on_a_chain(), &parts);
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
  EXPECT_TRUE(away(0));
  EXPECT_TRUE(away(1'000));
}

TEST(ChainDesk, HearsTheChainAgainOnceItIsAtItsHead) {
  OnANode on;
  EXPECT_FALSE(on.away(0));
  on.plain.dead = true;
  EXPECT_FALSE(on.away(300'000));
  EXPECT_TRUE(on.away(1'000));
  on.world.restart();
  EXPECT_TRUE(on.away(0));
  on.plain.dead = false;
  on.plain.head = 3;
  EXPECT_FALSE(on.away(0));
}

TEST(ChainDesk, WhatTheExchangeRefusesIsNotHeard) {
  OnANode on;
  EXPECT_FALSE(on.away(0));
  on.plain.lies = true;  // nobody has what is withdrawn
  on.plain.head = 2;
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(on.away(31'000));
  EXPECT_TRUE(on.away(31'000));
  EXPECT_TRUE(on.away(31'000));
  on.plain.lies = false;
  EXPECT_FALSE(on.away(31'000));
}

TEST(ChainDesk, AnOldHeadIsAChainThatIsAway) {
  OnANode on(10);
  EXPECT_FALSE(on.away(0));
  EXPECT_FALSE(on.away(310'000));
  EXPECT_TRUE(on.away(3'000));
  EXPECT_NE(text_of(on.world.get("/v1/health").body.at("chain").at("trouble")).find("minutes old"),
            std::string::npos);
  on.plain.head = 3;
  EXPECT_FALSE(on.away(0));
  OnANode quiet;  // a development chain has no blocks of its own accord
  EXPECT_FALSE(quiet.away(0));
  EXPECT_FALSE(quiet.away(400'000));
}

TEST(ChainDesk, StartsWithoutRulesOnADevelopmentChainAlone) {
  OnANode on;
  on.world.journal = journal::make_memory_journal(keccak256("another"));
  on.world.configure = [](ServiceConfig& config) {
    on_a_chain(10)(config);
    config.rules = nullptr;
  };
  const auto opened = on.world.open_service();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::conflict);
  EXPECT_EQ(opened.error().details.at("field"), "rules");
}

/// An agent with an ask, and a buyer with money, on a chain of empty blocks that is told by hand.
struct ToldChain {
  explicit ToldChain(uint64_t depth = 0) : on(31337, depth) {
    seen({exchange::chain::Deposited{world.buyer.address(), 1'000'000}});
    agent = world.open("/v1/agent", &world.provider);
    EXPECT_TRUE(agent.handler) << agent.error->message;
    json::object listing = world.ask_body(world.ask());
    listing["type"] = "ask";
    listing["id"] = 1;
    world.say(agent, listing);
    world.say(agent, world.heartbeat(1));
  }
  void tell(const exchange::Command& command) {
    bool taken = false;
    world.service->sequencer().submit(command, std::nullopt, [&](const Result<Applied>& applied) {
      taken = applied && applied->outcome.answer.has_value();
    });
    world.settle();
    EXPECT_TRUE(taken);
  }
  void seen(std::vector<exchange::ChainFact> facts) {
    last = {last.number + 1, hash_of(last.number + 1), last.time + 1};
    tell(exchange::ChainSeen{last, std::move(facts)});
  }
  LeaseId open_lease() {
    const LeaseId id = world.funded_lease(agent);
    seen({exchange::chain::Opened{id, 1'200, last.time}});
    EXPECT_FALSE(agent.socket->take("funded").is_null());
    return id;
  }
  OnANode on;
  World& world = on.world;
  ledger::Place last{1, hash_of(1), kStart};
  World::Open agent;
};

/// It has forgotten the lease, and sends its Close until it hears that there is an end.
TEST(ChainDesk, TellsTheAgentOfALeaseThatWasClosedOnceMore) {
  namespace chain = exchange::chain;
  ToldChain told;
  const auto& socket = told.agent.socket;
  const LeaseId id = told.open_lease();
  told.world.pass(60'000);
  const ledger::Place before = told.last;
  told.seen({chain::Closed{id, 0, 0, 1'200}});
  EXPECT_FALSE(socket->take("closed").is_null());
  told.tell(exchange::ChainTakenBack{before});
  EXPECT_FALSE(socket->take("stop").is_null());
  EXPECT_TRUE(socket->take("closed").is_null());
  told.last = before;
  told.seen({chain::Closed{id, 0, 0, 1'200}});
  EXPECT_FALSE(socket->take("closed").is_null());
}

TEST(ChainDesk, SaysHowFarAnOpeningIs) {
  ToldChain told(3);
  const LeaseId id = told.world.funded_lease(told.agent);
  const auto opening = [&] {
    EXPECT_FALSE(told.on.away(0));
    return told.world.get("/v1/leases/" + hex0x(id.view()), &told.world.buyer).body.at("opening");
  };
  told.on.plain.head = told.last.number + 1;
  EXPECT_EQ(opening(), (json::value{{"blocks", nullptr}, {"depth", 3}}));
  const uint64_t block = ++told.on.plain.head;
  told.on.plain.ahead = {"Opened(bytes32,uint256)", id, block};
  EXPECT_EQ(opening(), (json::value{{"blocks", 0}, {"depth", 3}}));
  ++told.on.plain.head;
  EXPECT_EQ(opening(), (json::value{{"blocks", 1}, {"depth", 3}}));
  const json::value health = told.world.get("/v1/health").body.at("chain");
  EXPECT_EQ(health.at("head"), told.on.plain.head);
  EXPECT_EQ(health.at("block"), told.last.number);
  told.tell(exchange::NotOpened{id, "too_late"});
  const json::value closed = told.agent.socket->take("closed");
  ASSERT_FALSE(closed.is_null());
  EXPECT_EQ(closed.at("reason"), "too_late");
}

TEST(ChainDesk, StopsWhatItsBuyerStoppedInABlockThatIsNotDeepEnough) {
  ToldChain told(3);
  const LeaseId id = told.open_lease();
  told.on.plain.head = told.last.number + 2;
  EXPECT_FALSE(told.on.away(0));
  EXPECT_TRUE(told.agent.socket->take("stop").is_null());
  const uint64_t newest = ++told.on.plain.head;
  told.on.plain.ahead = {"CloseRequested(bytes32,uint256,uint256)", id, newest};
  EXPECT_FALSE(told.on.away(0));
  EXPECT_FALSE(told.agent.socket->take("stop").is_null());
  told.on.world.service->state().read([&](const exchange::Exchange& core) {
    EXPECT_EQ(core.chain()->last(), told.last) << "no block is deep enough";
    EXPECT_EQ(core.find_lease(id)->stop_reason, "buyer_stopped");
  });
}

}  // namespace
}  // namespace mizan::service
