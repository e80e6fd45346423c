// The outbox over a node in this process: nonces that nobody uses any more, filled over crashes;
// and how many transactions are out at a time.
#include "crypto/hash.hpp"
#include "journal/memory_journal.hpp"
#include "settlement/outbox.hpp"
#include "support/journal_over.hpp"

#include <boost/json.hpp>
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace mizan::settlement {
namespace {

std::string word(std::string_view text) {
  return hex0x(keccak256(text).view());
}

/// A chain of one account, of whose transactions no receipt is shown unless a test wants it.
struct QuietNode {
  uint64_t next_nonce = 0;  ///< with those that wait
  uint64_t mined = 0;
  bool shows_receipts = false;
  std::string gas = "0x5208";
  uint64_t head = 100;
  bool knows = false;    ///< what was sent
  bool refuses = false;  ///< whatever is sent
  std::vector<std::string> sent{};

  json::value result(std::string_view method, const json::array& params) {
    if (method == "eth_chainId") return "0x1";
    if (method == "eth_getBlockByNumber")
      return json::object{
          {"number",
           params.at(0) == "latest" ? json::value(fmt::format("{:#x}", head)) : params.at(0)},
          {"hash", word("a block")},
          {"parentHash", word("its parent")},
          {"timestamp", "0x1"},
          {"baseFeePerGas", "0x1"}};
    if (method == "eth_getTransactionCount") {
      const uint64_t count = params.at(1) == "pending"  ? next_nonce
                             : params.at(1) == "latest" ? mined
                                                        : 0;
      return json::value(fmt::format("{:#x}", count));
    }
    if (method == "eth_estimateGas") return json::value(gas);
    if (method == "eth_maxPriorityFeePerGas") return "0x1";
    if (method == "eth_sendRawTransaction") {
      sent.emplace_back(params.at(0).get_string());
      const auto raw = parse_hex(sent.back());
      return json::value(hex0x(keccak256(*raw).view()));
    }
    if (method == "eth_getTransactionByHash" && knows) return json::object{{"hash", params.at(0)}};
    if (method == "eth_getTransactionReceipt" && shows_receipts)
      return json::object{{"transactionHash", params.at(0)},
                          {"blockNumber", "0x64"},
                          {"blockHash", word("a block")},
                          {"status", "0x1"},
                          {"gasUsed", "0x5208"},
                          {"contractAddress", nullptr}};
    return nullptr;  // and none of the transactions is known
  }
  Node node() {
    const auto post = [this](const std::string& body) -> Result<std::string> {
      const json::value request = boost::json::parse(body);
      if (refuses && request.at("method") == "eth_sendRawTransaction")
        return boost::json::serialize(json::object{
            {"jsonrpc", "2.0"},
            {"id", request.at("id")},
            {"error", json::object{{"code", -32'000}, {"message", "exceeds block gas limit"}}}});
      return boost::json::serialize(
          json::object{{"jsonrpc", "2.0"},
                       {"id", request.at("id")},
                       {"result", result(std::string_view(request.at("method").get_string()),
                                         request.at("params").get_array())}});
    };
    return {JsonRpc("the node", post, {.attempts = 1}), 1};
  }
};

/// Fails from the append `good` on.
class FailingJournal final : public test::JournalOver {
 public:
  FailingJournal(journal::Journal& real, size_t good) : JournalOver(real), good_(good) {}
  Result<journal::GroupInfo> append_group(std::span<const ByteView> records) override {
    if (good_ == 0) return fail(ErrorCode::io_error, "the program is dead");
    --good_;
    return JournalOver::append_group(records);
  }

 private:
  size_t good_;
};

class OutboxNonces : public testing::Test {
 protected:
  /// `rounds` of an outbox that dies at an append.
  void live(size_t appends, int rounds = 3) {
    Node asks = node.node();
    FailingJournal journal(*disk, appends);
    auto outbox = Outbox::open(journal, asks, key);
    if (!outbox) return;
    (void)outbox->submit("call", {Address{{1}}, 0, {1, 2, 3}});
    for (int i = 0; i < rounds; ++i) problem = outbox->step();
    entries.clear();
    for (const Entry* entry : outbox->entries()) entries.push_back(*entry);
  }
  std::vector<uint64_t> nonces() const {
    std::vector<uint64_t> out;
    for (const Entry& entry : entries) out.push_back(entry.nonce);
    std::sort(out.begin(), out.end());
    return out;
  }

  const SecretKey key = *SecretKey::from_bytes(Bytes(32, 0x46));
  const std::unique_ptr<journal::Journal> disk = journal::make_memory_journal(keccak256("outbox"));
  QuietNode node{3};
  Result<void> problem;
  std::vector<Entry> entries;
};

class FillersKilled : public OutboxNonces, public testing::WithParamInterface<size_t> {};

TEST_P(FillersKilled, AreSentOnceEach) {
  live(100);
  EXPECT_EQ(nonces(), (std::vector<uint64_t>{3}));
  node.next_nonce = 0;  // a turn took what had the nonces below
  live(GetParam());
  for (int round = 0; round < 5; ++round) {
    live(100, 1);
    const auto all = nonces();
    while (std::find(all.begin(), all.end(), node.mined) != all.end()) ++node.mined;
    node.next_nonce = node.mined;
  }
  EXPECT_TRUE(problem) << problem.error().message;
  EXPECT_EQ(nonces(), (std::vector<uint64_t>{0, 1, 2, 3}));
  for (const Entry& entry : entries) EXPECT_EQ(entry.state, SendState::sent) << entry.id;
}
INSTANTIATE_TEST_SUITE_P(AtEachAppend, FillersKilled, testing::Range<size_t>(0, 7));

TEST_F(OutboxNonces, FillersThatNobodyNeedsAnyMoreAreForgotten) {
  live(100);
  node.next_nonce = 0;
  live(1);  // dead between a filler's call and its nonce
  node.next_nonce = 3;
  live(100);
  EXPECT_TRUE(problem) << problem.error().message;
  EXPECT_EQ(nonces(), (std::vector<uint64_t>{3}));
}

TEST_F(OutboxNonces, FillsAHoleOfAnySizePieceByPiece) {
  node.next_nonce = node.mined = 100;
  live(100);
  ASSERT_EQ(nonces(), (std::vector<uint64_t>{100}));
  node.next_nonce = node.mined = 0;  // a deep turn took all that was done
  std::set<uint64_t> seen;
  for (int round = 0; round < 5; ++round) {
    live(1000, 1);
    const auto all = nonces();
    seen.insert(all.begin(), all.end());
    EXPECT_TRUE(problem) << problem.error().message;
    while (seen.contains(node.mined)) ++node.mined;
    node.next_nonce = node.mined;
  }
  EXPECT_EQ(seen.size(), 101U);
}

TEST_F(OutboxNonces, WhatIsInABlockLetsTheNextOnesOutBeforeItIsDeep) {
  Node asks = node.node();
  node.next_nonce = 0;
  node.shows_receipts = true;
  auto outbox = Outbox::open(*disk, asks, key, {.depth = 50, .waiting = 4});
  ASSERT_TRUE(outbox);
  for (uint8_t i = 0; i < 10; ++i)
    ASSERT_TRUE(outbox->submit("call " + std::to_string(i), {Address{{1}}, 0, {1, 2, i}}));
  for (const size_t sent : {4U, 8U, 10U}) {
    ASSERT_TRUE(outbox->step());
    EXPECT_EQ(node.sent.size(), sent);
    node.mined = node.next_nonce = node.sent.size();
  }
  ASSERT_TRUE(outbox->step());
  for (const Entry* entry : outbox->entries()) EXPECT_EQ(entry->state, SendState::mined);
}

TEST_F(OutboxNonces, OneLieOfTheFirstNonceSpendsNothing) {
  for (const uint64_t lie : {uint64_t{65}, uint64_t{1'000'000}, uint64_t{1} << 40, UINT64_MAX}) {
    node.next_nonce = lie;
    live(100, 1);
    EXPECT_FALSE(problem) << lie;
    EXPECT_EQ(entries.at(0).state, SendState::queued) << lie;
  }
  EXPECT_TRUE(node.sent.empty());
  node.next_nonce = 0;
  live(100, 1);
  EXPECT_TRUE(problem) << problem.error().message;
  EXPECT_EQ(nonces(), (std::vector<uint64_t>{0}));
}

TEST_F(OutboxNonces, NodeThatLiedOfAllNoncesIsNotFilledUp) {
  node.next_nonce = node.mined = 1'000'000;
  live(100, 1);
  ASSERT_EQ(nonces(), (std::vector<uint64_t>{1'000'000}));
  node.next_nonce = node.mined = 0;  // honest from here on
  const size_t before = node.sent.size();
  live(100, 1);
  EXPECT_FALSE(problem);
  EXPECT_LE(node.sent.size(), before + 1) << "that one again, and no fillers";
  EXPECT_EQ(nonces(), (std::vector<uint64_t>{1'000'000}));
}

TEST_F(OutboxNonces, GasThatNoBlockHasIsNotBelieved) {
  node.next_nonce = 0;
  node.gas = "0x3b9aca00";  // a billion
  live(100, 1);
  EXPECT_FALSE(problem);
  EXPECT_EQ(entries.at(0).state, SendState::queued);
  node.gas = "0x5208";
  live(100, 1);
  EXPECT_LT(entries.at(0).gas, 60'000U);
}

TEST_F(OutboxNonces, GasIsEstimatedAnewForWhatIsStuckOrRefused) {
  for (const bool stuck : {true, false}) {
    SCOPED_TRACE(stuck);
    const auto own = journal::make_memory_journal(keccak256("outbox of its own"));
    Node asks = node.node();
    node.gas = "0x1312d00";  // twenty millions
    auto outbox = Outbox::open(*own, asks, key);
    node.next_nonce = 0;
    node.knows = stuck;
    node.refuses = !stuck;
    ASSERT_TRUE(outbox->submit("call", {Address{{1}}, 0, {1, 2}}));
    EXPECT_EQ(outbox->step().has_value(), stuck);
    ASSERT_GT(outbox->entries().at(0)->gas, 20'000'000U);
    node.gas = "0x5208";  // honest from here on
    node.refuses = false;
    for (int round = 0; round < 3; ++round) {
      node.refuses = !stuck && round == 0;
      node.head += 5;
      (void)outbox->step();
    }
    EXPECT_LT(outbox->entries().at(0)->gas, 60'000U);
  }
}

TEST_F(OutboxNonces, DepthOfAnySizeIsWaitedFor) {
  Node asks = node.node();
  node.next_nonce = 0;
  node.shows_receipts = true;
  auto outbox = Outbox::open(*disk, asks, key, {.depth = UINT64_MAX});
  ASSERT_TRUE(outbox->submit("call", {Address{{1}}, 0, {1, 2}}));
  ASSERT_TRUE(outbox->step());
  node.mined = node.next_nonce = 1;
  ASSERT_TRUE(outbox->step());
  EXPECT_EQ(outbox->entries().at(0)->state, SendState::mined);
}

}  // namespace
}  // namespace mizan::settlement
