// The follower at nodes that refuse what is too much for them.
#include "settlement/follower.hpp"

#include "crypto/hash.hpp"
#include "fake_node.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

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
      from = to =
          FakeNode::number_of(json::value("0x" + std::string(hash->get_string()).substr(50)));
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
  FakeNode fake(1000, [&](std::string_view method, const json::array&) {
    asked += method == "eth_getLogs" ? 1 : 0;
    return FakeNode::Answer(FakeNode::Refusal{"limit exceeded"});
  });
  Node node = fake.node();
  Follower follower(node, the_contract(), {0, FakeNode::hash_of(0), 0});
  EXPECT_FALSE(follower.poll());
  EXPECT_EQ(asked, 9U) << "500, 250, 125, 62, 31, 15, 7, 3, 1";
  EXPECT_FALSE(follower.poll());
  EXPECT_EQ(asked, 10U);
}

/// Gives no logs, only blocks and their receipts: three transactions a block, of two deposits each
/// and a log of another contract between them.
struct FullBlocks {
  bool all_at_once = true;
  std::function<void(std::string_view method, json::value& answer)> spoil{};
  std::set<std::string> asked{};

  static Hash32 transaction(uint64_t block, uint64_t at) {
    Hash32 hash = FakeNode::hash_of(block);
    hash.bytes[1] = static_cast<uint8_t>(at + 1);
    return hash;
  }
  static uint64_t block_of(const json::value& hash) {
    return FakeNode::number_of(json::value("0x" + std::string(hash.get_string()).substr(50)));
  }
  static json::value receipt(uint64_t block, uint64_t at) {
    json::array logs;
    for (uint64_t i = 0; i < 3; ++i) {
      json::object log = MeanNode::deposit(block).get_object();
      log["transactionHash"] = hex0x(transaction(block, at).view());
      log["logIndex"] = fmt::format("{:#x}", at * 3 + i);
      if (i == 1) log["address"] = hex0x(Address{}.view());
      logs.push_back(std::move(log));
    }
    return json::object{{"transactionHash", hex0x(transaction(block, at).view())},
                        {"blockHash", hex0x(FakeNode::hash_of(block).view())},
                        {"logs", std::move(logs)}};
  }
  FakeNode::Answer answer(std::string_view method, const json::array& params) const {
    if (method == "eth_getBlockByHash") {
      const uint64_t block = block_of(params[0]);
      json::array hashes;
      for (uint64_t i = 0; i < 3; ++i) hashes.emplace_back(hex0x(transaction(block, i).view()));
      return json::value(json::object{{"hash", params[0]}, {"transactions", std::move(hashes)}});
    }
    if (method == "eth_getBlockReceipts" && all_at_once) {
      json::array out;
      for (uint64_t i = 0; i < 3; ++i) out.push_back(receipt(FakeNode::number_of(params[0]), i));
      return json::value(std::move(out));
    }
    if (method == "eth_getTransactionReceipt") {
      const auto hash = parse_fixed<Hash32>(std::string_view(params[0].get_string()));
      return receipt(block_of(params[0]), hash->bytes[1] - 1U);
    }
    return FakeNode::Refusal{"query returned more than 10000 results"};
  }
  FakeNode::Answer operator()(std::string_view method, const json::array& params) {
    asked.emplace(method);
    FakeNode::Answer out = answer(method, params);
    if (auto* value = std::get_if<json::value>(&out); value != nullptr && spoil)
      spoil(method, *value);
    return out;
  }
};

TEST(Follower, BlockWithMoreLogsThanTheNodeGivesIsReadFromItsReceipts) {
  for (const bool all_at_once : {true, false}) {
    FullBlocks full{.all_at_once = all_at_once};
    FakeNode fake(8, std::ref(full));
    Node node = fake.node();
    Follower follower(node, the_contract(), {0, FakeNode::hash_of(0), 0});
    for (uint64_t block = 1; block <= 6; ++block) {
      const auto changes = follower.poll();
      ASSERT_TRUE(changes) << changes.error().message;
      const Seen& seen = std::get<Seen>(changes->front());
      EXPECT_EQ(seen.to.number, block);
      ASSERT_EQ(seen.events.size(), 6U) << "without those of the other contract";
      for (uint64_t i = 0; i < 6; ++i)
        EXPECT_EQ(seen.events[i].transaction, FullBlocks::transaction(block, i / 2));
    }
    EXPECT_EQ(full.asked.contains("eth_getTransactionReceipt"), !all_at_once);
  }
}

TEST(Follower, ReceiptsThatCanNotBeAreWaitedFor) {
  const auto first = [](json::value& answer) -> json::object& {
    return (answer.is_array() ? answer.get_array()[0] : answer).get_object();
  };
  const auto log = [first](json::value& answer) -> json::object& {
    return first(answer).at("logs").get_array()[2].get_object();
  };
  using Spoil = std::function<void(json::value&)>;
  const std::vector<Spoil> of_receipts = {
      [](json::value& answer) { answer = "none"; },
      [&](json::value& answer) { first(answer).erase("logs"); },
      [&](json::value& answer) { first(answer)["blockHash"] = hex0x(Hash32{}.view()); },
      [&](json::value& answer) { first(answer)["transactionHash"] = hex0x(Hash32{}.view()); },
      [&](json::value& answer) { log(answer)["logIndex"] = "0x0"; },
      [&](json::value& answer) { log(answer)["blockHash"] = hex0x(Hash32{}.view()); },
      [&](json::value& answer) { log(answer)["data"] = "0x00"; },
      [&](json::value& answer) { log(answer).erase("address"); },
  };
  const std::vector<Spoil> of_blocks = {
      [](json::value& answer) { answer = nullptr; },
      [](json::value& answer) { answer.get_object()["transactions"] = 3; },
      [](json::value& answer) { answer.get_object()["hash"] = hex0x(Hash32{}.view()); },
      [](json::value& answer) { answer.get_object()["transactions"].as_array()[1] = "0x01"; },
  };
  const auto waits = [](bool all_at_once, std::string_view what, const Spoil& spoil) {
    FullBlocks full{.all_at_once = all_at_once};
    full.spoil = [&](std::string_view method, json::value& answer) {
      if (method == what) spoil(answer);
    };
    FakeNode fake(8, std::ref(full));
    Node node = fake.node();
    Follower follower(node, the_contract(), {0, FakeNode::hash_of(0), 0});
    const auto changes = follower.poll();
    ASSERT_FALSE(changes) << what;
    EXPECT_NE(changes.error().code, ErrorCode::corrupted);
  };
  for (size_t i = 0; i < of_receipts.size(); ++i) {
    SCOPED_TRACE(i);
    // Instead of an answer to that question that is none at all the other one is asked.
    if (i != 0) waits(true, "eth_getBlockReceipts", of_receipts[i]);
    waits(false, "eth_getTransactionReceipt", of_receipts[i]);
  }
  for (const Spoil& spoil : of_blocks) waits(true, "eth_getBlockByHash", spoil);
  waits(true, "eth_getBlockReceipts", [](json::value& answer) { answer.get_array().pop_back(); });
}

/// The block before was there when it was asked for, and the next one lies on another.
TEST(Follower, BlockThatDoesNotLieOnWhatWasSeenIsReadAgain) {
  MeanNode mean;
  FakeNode fake(8, std::ref(mean));
  fake.parent_of = [](uint64_t block) { return FakeNode::hash_of(block + 1000); };
  Node node = fake.node();
  Follower follower(node, the_contract(), {0, FakeNode::hash_of(0), 0});
  const auto turned = follower.poll();
  ASSERT_FALSE(turned);
  EXPECT_EQ(turned.error().code, ErrorCode::unavailable);
  fake.parent_of = nullptr;
  const auto changes = follower.poll();
  ASSERT_TRUE(changes) << changes.error().message;
  EXPECT_EQ(std::get<Seen>(changes->front()).to.number, 1U);
}

}  // namespace
}  // namespace mizan::settlement
