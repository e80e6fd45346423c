// The follower at nodes that refuse what is too much for them.
#include "settlement/follower.hpp"

#include "crypto/hash.hpp"
#include "fake_node.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mizan::settlement {
namespace {

Address the_contract() {
  Address out;
  out.bytes[19] = 7;
  return out;
}

/// A deposit in each block that `rate` divides; more than `most` of them, or blocks, are too much.
struct MeanNode {
  size_t most = 10;
  uint64_t rate = 3;
  uint64_t most_blocks = UINT64_MAX;
  bool in_silence = false;  ///< it is not even said
  std::vector<uint64_t> asked{};

  FakeNode::Answer operator()(std::string_view method, const json::array& params) {
    if (method != "eth_getLogs") return FakeNode::Refusal{"what?"};
    const json::object& filter = params[0].get_object();
    uint64_t from = 0;
    uint64_t to = 0;
    if (const json::value* hash = filter.if_contains("blockHash")) {
      from = to = FakeNode::number_of(json::value("0x" + std::string(hash->get_string()).substr(50)));
    } else {
      from = FakeNode::number_of(filter.at("fromBlock"));
      to = FakeNode::number_of(filter.at("toBlock"));
    }
    asked.push_back(to - from + 1);
    json::array logs;
    for (uint64_t block = from; block <= to; ++block)
      if (block % rate == 0) logs.push_back(deposit(block));
    if (from < to && (logs.size() > most || to - from >= most_blocks)) {
      if (in_silence) return FakeNode::Silence{};
      return FakeNode::Refusal{"query returned more than 10 results"};
    }
    return json::value(std::move(logs));
  }

  static json::value deposit(uint64_t block) {
    Bytes amount(32, 0);
    amount[31] = 1;
    const std::string topic = hex0x(keccak256("Deposited(address,uint256)").view());
    return json::object{{"address", hex0x(the_contract().view())},
                        {"topics", {topic, hex0x(Hash32{}.view())}},
                        {"data", hex0x(amount)},
                        {"blockNumber", fmt::format("{:#x}", block)},
                        {"blockHash", hex0x(FakeNode::hash_of(block).view())},
                        {"transactionHash", hex0x(FakeNode::hash_of(block).view())},
                        {"logIndex", "0x0"}};
  }
};

/// Reads it all; the largest range that was answered comes back.
uint64_t read_all(MeanNode& mean, uint64_t head, const FollowerOptions& options) {
  FakeNode fake(head, std::ref(mean));
  Node node = fake.node();
  Follower follower(node, the_contract(), {0, FakeNode::hash_of(0), 0}, options);
  uint64_t to = 0;
  uint64_t events = 0;
  uint64_t largest = 0;
  for (;;) {
    const auto changes = follower.poll();
    EXPECT_TRUE(changes) << changes.error().message;
    if (!changes || changes->empty()) break;
    const Seen& seen = std::get<Seen>(changes->front());
    largest = std::max(largest, seen.to.number - to);
    to = seen.to.number;
    events += seen.events.size();
    EXPECT_LE(seen.events.size(), mean.most);
  }
  EXPECT_EQ(to, head - options.depth);
  EXPECT_EQ(events, to / mean.rate);
  return largest;
}

TEST(Follower, HalvesARangeThatIsRefusedAndGrowsAgain) {
  MeanNode mean;
  EXPECT_GT(read_all(mean, 1300, {}), 20U);
  EXPECT_EQ(mean.asked.front(), 500U);
  const auto refused = std::count_if(mean.asked.begin(), mean.asked.end(),
                                     [](uint64_t blocks) { return blocks > 33; });
  EXPECT_LT(refused, 20) << "it learns";
}

TEST(Follower, HalvesARangeThatIsNotAnswered) {
  MeanNode mean;
  mean.in_silence = true;
  EXPECT_GT(read_all(mean, 700, {}), 20U);
}

TEST(Follower, GoesDownToOneBlock) {
  MeanNode mean;
  mean.most_blocks = 1;
  EXPECT_EQ(read_all(mean, 200, {}), 1U);
}

TEST(Follower, TellsNoMoreAtOnceThanItsOwnerTakes) {
  MeanNode mean;
  mean.rate = 1;
  mean.most = 500;
  EXPECT_LE(read_all(mean, 700, {.most_events = 40}), 40U);
}

TEST(Follower, NodeThatRefusesOneBlockIsWaitedFor) {
  size_t asked = 0;
  FakeNode fake(1000, [&](std::string_view, const json::array&) {
    ++asked;
    return FakeNode::Answer(FakeNode::Refusal{"limit exceeded"});
  });
  Node node = fake.node();
  Follower follower(node, the_contract(), {0, FakeNode::hash_of(0), 0});
  EXPECT_FALSE(follower.poll());
  EXPECT_EQ(asked, 9U) << "500, 250, 125, 62, 31, 15, 7, 3, 1";
  EXPECT_FALSE(follower.poll());
  EXPECT_EQ(asked, 10U);
}

}  // namespace
}  // namespace mizan::settlement
