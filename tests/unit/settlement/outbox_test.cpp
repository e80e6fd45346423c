// The outbox at a node that forgets old states. The rest is tested at a real one (e2e_evm).
#include "settlement/outbox.hpp"

#include "crypto/hash.hpp"
#include "fake_node.hpp"
#include "journal/memory_journal.hpp"

#include <gtest/gtest.h>

namespace mizan::settlement {
namespace {

constexpr uint64_t kMinedIn = 5;

/// The key's one transaction is mined, and failed; what it says of that block's state, a test says.
struct ForgetfulNode {
  FakeNode::Answer state = FakeNode::Silence{};
  std::string sent{};
  std::optional<Hash32> other_transaction{};  ///< whose receipt it gives
  Hash32 block = FakeNode::hash_of(kMinedIn);

  FakeNode::Answer operator()(std::string_view method, const json::array& params) {
    if (method == "eth_getTransactionCount") {
      // Its nonces of old blocks are forgotten too.
      if (params[1].get_string().starts_with("0x"))
        return FakeNode::Refusal{"missing trie node 12ab"};
      return json::value(sent.empty() ? "0x0" : "0x1");
    }
    if (method == "eth_estimateGas") return json::value("0x5208");
    if (method == "eth_maxPriorityFeePerGas") return json::value("0x1");
    if (method == "eth_sendRawTransaction") {
      const Bytes raw = *parse_hex(std::string_view(params[0].get_string()));
      sent = hex0x(keccak256(raw).view());
      return json::value(sent);
    }
    if (method == "eth_getTransactionReceipt") {
      if (params[0] != json::value(sent)) return json::value(nullptr);
      const std::string whose = other_transaction ? hex0x(other_transaction->view()) : sent;
      return json::value(json::object{{"transactionHash", whose},
                                      {"blockNumber", fmt::format("{:#x}", kMinedIn)},
                                      {"blockHash", hex0x(block.view())},
                                      {"status", "0x0"},
                                      {"gasUsed", "0x5208"}});
    }
    if (method == "eth_call") return state;
    return FakeNode::Refusal{"what?"};
  }
};

class OutboxUnit : public ::testing::Test {
 protected:
  Outbox open() {
    Outbox outbox = *Outbox::open(*journal_, node_, key_, {.depth = 2});
    EXPECT_TRUE(outbox.submit("one", {Address{}, 0, {}}));
    EXPECT_TRUE(outbox.step());  // it is sent, and mined at once
    return outbox;
  }
  ForgetfulNode forgetful_;
  FakeNode fake_{200, std::ref(forgetful_)};
  Node node_ = fake_.node();
  SecretKey key_ = *SecretKey::from_bytes(Bytes(32, 0x46));
  std::unique_ptr<journal::Journal> journal_ = journal::make_memory_journal({});
};

TEST_F(OutboxUnit, EndsWhatIsRefusedThoughTheNodeHasForgottenWhy) {
  Outbox outbox = open();
  forgetful_.state = FakeNode::Refusal{"missing trie node 12ab (path ) state is not available"};
  ASSERT_TRUE(outbox.step());
  const Entry& entry = *outbox.find("one");
  EXPECT_EQ(entry.state, SendState::reverted);
  EXPECT_NE(entry.reason.find("does not keep the state of that block"), std::string::npos)
      << entry.reason;
  EXPECT_NE(entry.reason.find("missing trie node"), std::string::npos) << entry.reason;
}

TEST_F(OutboxUnit, WaitsForANodeThatIsAwayToSayWhy) {
  Outbox outbox = open();
  const auto step = outbox.step();
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().code, ErrorCode::unavailable);
  EXPECT_EQ(outbox.find("one")->state, SendState::mined);
  forgetful_.state = FakeNode::Refusal{"execution reverted"};
  ASSERT_TRUE(outbox.step());
  EXPECT_EQ(outbox.find("one")->state, SendState::reverted);
}

TEST_F(OutboxUnit, ReceiptOfAnotherTransactionIsNotBelieved) {
  Outbox outbox = open();
  forgetful_.other_transaction = keccak256("another one");
  const auto step = outbox.step();
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().code, ErrorCode::unavailable);
  EXPECT_EQ(outbox.find("one")->state, SendState::sent);
}

TEST_F(OutboxUnit, ReceiptOfABlockThatIsGoneDoesNotCount) {
  Outbox outbox = open();
  forgetful_.state = FakeNode::Refusal{"execution reverted"};
  forgetful_.block = FakeNode::hash_of(kMinedIn + 1000);
  ASSERT_TRUE(outbox.step());
  EXPECT_EQ(outbox.find("one")->state, SendState::sent);
  forgetful_.block = FakeNode::hash_of(kMinedIn);
  ASSERT_TRUE(outbox.step());
  EXPECT_EQ(outbox.find("one")->state, SendState::reverted);
}

}  // namespace
}  // namespace mizan::settlement
