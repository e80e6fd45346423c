// The follower on a chain that turns.
#include "settlement/follower.hpp"

#include "chain.hpp"
#include "proxy.hpp"
#include "support/seed.hpp"

#include <set>

namespace mizan::test {
namespace {

/// What a follower's owner keeps.
struct Told {
  std::vector<Seen> seen;
  std::vector<Place> places() const {
    std::vector<Place> out;
    for (const Seen& step : seen) out.push_back(step.to);
    return out;
  }
  std::vector<EscrowEvent> events() const {
    std::vector<EscrowEvent> out;
    for (const Seen& step : seen)
      for (const SeenEvent& event : step.events) out.push_back(event.event);
    return out;
  }
  bool take(const std::vector<Change>& changes) {
    for (const Change& change : changes) {
      if (const auto* step = std::get_if<Seen>(&change)) {
        seen.push_back(*step);
        continue;
      }
      const Place back_to = std::get<TakenBack>(change).back_to;
      while (!seen.empty() && seen.back().to != back_to) seen.pop_back();
    }
    return !changes.empty();
  }
  /// Reads until nothing is new.
  void catch_up(Follower& follower) {
    while (take(must(follower.poll()))) {
    }
  }
};

std::vector<EscrowEvent> all_events(Chain& chain) {
  std::vector<EscrowEvent> out;
  const auto head = must(chain.node.head());
  for (const Log& log : must(chain.node.logs(chain.escrow, 0, head.number)))
    out.push_back(must(read_event(log)));
  return out;
}

Place beginning(Chain& chain) {
  return {0, must(chain.node.block(0))->hash};
}

TEST(FollowerOnChain, SeesWhatIsDeepEnough) {
  MIZAN_NEEDS_ANVIL();
  Chain chain;
  Follower follower(chain.node, chain.escrow, beginning(chain), {.depth = 3});
  Told told;
  told.catch_up(follower);
  chain.fund(chain.buyer, 1000);
  chain.anvil.mine(2);
  told.catch_up(follower);
  EXPECT_TRUE(told.events().empty()) << "two blocks on top";
  chain.anvil.mine();
  told.catch_up(follower);
  EXPECT_EQ(told.events().size(), 1U);
}

TEST(FollowerOnChain, RandomTurns) {
  MIZAN_NEEDS_ANVIL();
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  std::mt19937_64 random(seed);
  Chain chain;
  chain.fund(chain.buyer, 1'000'000'000);
  chain.anvil.mine(40);
  for (const uint64_t depth : {uint64_t{0}, uint64_t{2}}) {
    const FollowerOptions options{.depth = depth, .recent = 8, .range = 7};
    Told told;
    auto follower = std::make_unique<Follower>(chain.node, chain.escrow, beginning(chain), options);
    unsigned turns = 0;
    for (int i = 0; i < 150; ++i) {
      switch (random() % 8) {
        case 0: {
          const uint64_t deep = 1 + random() % 6;
          chain.anvil.rpc("anvil_reorg", {deep, json::array{}});
          break;
        }
        case 1:
          chain.anvil.mine(1 + random() % 5);
          break;
        case 2:  // its owner is killed and starts anew with what it keeps
          follower = std::make_unique<Follower>(chain.node, chain.escrow, beginning(chain), options,
                                                told.places());
          break;
        case 3:
        case 4: {
          for (int polls = 0; polls < 30; ++polls) {
            const auto changes = follower->poll();
            if (!changes || changes->empty()) break;
            for (const Change& change : *changes)
              turns += std::holds_alternative<TakenBack>(change) ? 1 : 0;
            told.take(*changes);
          }
          break;
        }
        default:
          must(chain.send(chain.buyer, chain.escrow,
                          escrow::withdraw(1 + random() % 100, chain.buyer.address())));
      }
    }
    chain.anvil.mine(depth);
    told.catch_up(*follower);
    EXPECT_EQ(told.events(), all_events(chain)) << "depth " << depth;
    if (depth == 0) {
      EXPECT_GT(turns, 0U);
    }
  }
}

TEST(FollowerOnChain, TurnUnderAnOpenLease) {
  MIZAN_NEEDS_ANVIL();
  Chain chain;
  chain.fund(chain.buyer, 10'000'000'000);
  chain.anvil.mine(20);
  Follower follower(chain.node, chain.escrow, beginning(chain), {.depth = 0});
  Told told;
  told.catch_up(follower);
  const auto bid = chain.bid(0);
  const auto terms = chain.terms(bid);
  must(chain.send(chain.provider, chain.escrow, chain.open(terms, bid)));
  chain.anvil.mine(3);
  told.catch_up(follower);
  ASSERT_EQ(told.events().size(), 2U);
  chain.anvil.rpc("anvil_reorg", {8, json::array{}});
  told.take(must(follower.poll()));
  EXPECT_EQ(told.events().size(), 1U) << "the opening did not happen, the deposit did";
  // The lease keeps its id over a reorganisation, and opens again.
  must(chain.send(chain.provider, chain.escrow, chain.open(terms, bid)));
  told.catch_up(follower);
  EXPECT_EQ(told.events(), all_events(chain));
  EXPECT_EQ(std::get<Opened>(told.events().back()).lease, chain.id(terms));
}

/// A stranger's cheap logs, in one block: the node refuses all questions for logs.
TEST(FollowerOnChain, BlockOfMoreLogsThanTheNodeGives) {
  MIZAN_NEEDS_ANVIL();
  Chain chain;
  chain.fund(chain.buyer, 1000);
  chain.anvil.rpc("evm_setAutomine", {false});
  const uint64_t nonce = must(chain.node.latest_nonce(chain.provider.address()));
  for (uint64_t i = 0; i < 40; ++i) {
    const Bytes data =
        i % 2 == 0 ? escrow::cancel_bids(i, U256{}) : escrow::withdraw(0, chain.buyer.address());
    const Transaction stranger{
        kChainId, nonce + i, {1'000'000'000'000, 1}, 200'000, {chain.escrow, 0, data}};
    must(chain.node.send(sign(stranger, chain.provider)));
  }
  chain.anvil.mine();
  const auto events = all_events(chain);
  ASSERT_GE(events.size(), 21U);
  Proxy proxy(chain.anvil.url());
  Node node(must(JsonRpc::open(proxy.url(), {.attempts = 1})), kChainId);
  for (const bool all_at_once : {true, false}) {
    std::set<std::string> methods;
    proxy.set([&](const std::string& method, std::string answer) {
      methods.insert(method);
      if (method == "eth_getLogs" || (method == "eth_getBlockReceipts" && !all_at_once)) {
        json::object refusal = json::parse(answer).as_object();
        refusal.erase("result");
        refusal["error"] = json::object{{"code", -32005}, {"message", "limit exceeded"}};
        return std::optional(json::serialize(refusal));
      }
      return std::optional(std::move(answer));
    });
    Follower follower(node, chain.escrow, beginning(chain), {.depth = 0});
    Told told;
    told.catch_up(follower);
    EXPECT_EQ(told.events(), events);
    EXPECT_EQ(methods.contains("eth_getTransactionReceipt"), !all_at_once);
  }
}

TEST(FollowerOnChain, TellsAheadOfWhatIsNotDeepEnough) {
  MIZAN_NEEDS_ANVIL();
  Chain chain;
  chain.fund(chain.buyer, 10'000'000'000);
  Follower follower(chain.node, chain.escrow, beginning(chain), {.depth = 3});
  Told told;
  const auto ahead = [&] {
    told.catch_up(follower);
    const auto events = must(follower.ahead());
    return events ? std::optional(events->size()) : std::nullopt;
  };
  const auto bid = chain.bid(0);
  const auto terms = chain.terms(bid);
  chain.anvil.mine(4);
  EXPECT_EQ(ahead(), 0U) << "the deposit is none of these";
  must(chain.send(chain.provider, chain.escrow, chain.open(terms, bid)));
  told.catch_up(follower);
  const auto opened = must(follower.ahead());
  ASSERT_TRUE(opened && opened->size() == 1);
  EXPECT_EQ(std::get<Opened>(opened->front().event).lease, chain.id(terms));
  EXPECT_EQ(opened->front().block, follower.head());
  EXPECT_FALSE(ahead()) << "once for each newest block";
  chain.anvil.mine(2);
  must(chain.send(chain.buyer, chain.escrow, escrow::request_close(terms)));
  EXPECT_EQ(ahead(), 1U) << "the opening is deep enough by now";
  chain.anvil.mine(2);
  EXPECT_EQ(ahead(), 1U);
  EXPECT_TRUE(std::holds_alternative<Opened>(told.events().back()));
  chain.anvil.mine();
  EXPECT_EQ(ahead(), 0U);
  EXPECT_TRUE(std::holds_alternative<CloseRequested>(told.events().back()));
}

TEST(FollowerOnChain, NodeBehindOrFalse) {
  MIZAN_NEEDS_ANVIL();
  Chain chain;
  chain.fund(chain.buyer, 1000);
  chain.anvil.mine(5);
  Proxy proxy(chain.anvil.url());
  RpcOptions quick;
  quick.attempts = 1;
  Node node(must(JsonRpc::open(proxy.url(), quick)), kChainId);
  Follower follower(node, chain.escrow, beginning(chain), {.depth = 0, .recent = 0});
  Told told;
  const auto waits = [&](const std::string& method, auto change) {
    proxy.set([method, change](const std::string& asked, std::string answer) {
      if (asked != method) return std::optional(std::move(answer));
      json::value result = json::parse(answer).at("result");
      if (!result.is_array() || !result.get_array().empty()) change(result);
      return std::optional(with_result(answer, result));
    });
    // Up to the block that is lied about.
    auto polled = follower.poll();
    while (polled && told.take(*polled)) polled = follower.poll();
    ASSERT_FALSE(polled);
    EXPECT_EQ(polled.error().code, ErrorCode::unavailable) << polled.error().message;
  };
  waits("eth_getLogs", [](json::value& logs) { logs = "none"; });
  waits("eth_getLogs", [&](json::value& logs) {
    logs.as_array()[0].as_object()["address"] = hex0x(chain.token.view());
  });
  waits("eth_getLogs", [](json::value& logs) {
    logs.as_array()[0].as_object()["blockHash"] = hex0x(Hash32{}.view());
  });
  waits("eth_getLogs", [](json::value& logs) {
    logs.as_array()[0].as_object()["topics"].as_array()[0] = hex0x(Hash32{}.view());
  });
  waits("eth_getLogs", [](json::value& logs) { logs.as_array().push_back(logs.as_array()[0]); });
  waits("eth_getBlockByNumber", [](json::value& block) { block = nullptr; });
  proxy.set({});
  told.catch_up(follower);
  EXPECT_EQ(told.events(), all_events(chain));
  // A node that is behind: nothing is taken back.
  chain.anvil.mine();
  told.catch_up(follower);
  waits("eth_getBlockByNumber", [](json::value& block) { block.as_object()["number"] = "0x1"; });
  proxy.fall(1, false);
  EXPECT_FALSE(follower.poll());
  proxy.fall(0, false);
  proxy.set({});
  EXPECT_TRUE(must(follower.poll()).empty());
}

}  // namespace
}  // namespace mizan::test
