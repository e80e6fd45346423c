// The outbox on a real node: each call once, whatever node and process do.
#include "settlement/outbox.hpp"

#include "chain.hpp"
#include "journal/memory_journal.hpp"
#include "proxy.hpp"
#include "support/journal_over.hpp"

#include <filesystem>

namespace mizan::test {
namespace {

constexpr OutboxOptions kShallow{.depth = 0, .waiting = 16, .stuck_blocks = 2, .most_fee = 0};

RpcOptions quick() {
  RpcOptions options;
  options.attempts = 1;
  return options;
}

struct Dead {};  // what a test's journal throws where the process would have been killed

/// A journal under which the process dies: after so many appends, before or behind the disk.
class DeadlyJournal : public JournalOver {
 public:
  using JournalOver::JournalOver;
  void die_at(size_t append, bool written) {
    left_ = append;
    written_ = written;
  }
  Result<journal::GroupInfo> append_group(std::span<const ByteView> records) override {
    if (left_ == 0) return JournalOver::append_group(records);
    if (--left_ > 0) return JournalOver::append_group(records);
    if (written_) must(JournalOver::append_group(records));
    throw Dead{};
  }

 private:
  size_t left_ = 0;
  bool written_ = false;
};

class OutboxOnChain : public ::testing::Test {
 protected:
  void SetUp() override { MIZAN_NEEDS_ANVIL(); }

  /// Call number i makes 2^i units, so that the sum tells which were made, and how often.
  static Call mint(const Chain& chain, unsigned i) {
    return {chain.token, 0, token::mint(key_of(99).address(), u128{1} << i)};
  }
  static void submit(Outbox& outbox, const Chain& chain, unsigned count) {
    for (unsigned i = 0; i < count; ++i)
      must(outbox.submit("mint-" + std::to_string(i), mint(chain, i)));
  }
  static u128 made(Chain& chain) { return chain.tokens_of(key_of(99).address()); }
  static SendState state_of(const Outbox& outbox, unsigned i) {
    return outbox.find("mint-" + std::to_string(i))->state;
  }
  /// Steps until nothing is left to do; the node is told to mine in between.
  static void finish(Outbox& outbox, Chain& chain, unsigned rounds = 400) {
    for (unsigned i = 0; outbox.busy(); ++i) {
      ASSERT_LT(i, rounds) << "it does not come to an end";
      const auto done = outbox.step();
      if (!done) last_problem = done.error().message;
      chain.anvil.mine();
    }
  }
  static inline std::string last_problem;

  std::unique_ptr<journal::Journal> journal_ = journal::make_memory_journal({});
  SecretKey key_ = key_of(10);
};

TEST_F(OutboxOnChain, ManyInFlight) {
  Chain chain;
  chain.anvil.rpc("evm_setAutomine", {false});
  Outbox outbox = must(Outbox::open(*journal_, chain.node, key_, kShallow));
  submit(outbox, chain, 100);
  must(outbox.step());
  uint64_t in_flight = 0;
  for (const Entry* entry : outbox.entries()) in_flight += entry->in_flight() ? 1 : 0;
  EXPECT_EQ(in_flight, 16U);
  finish(outbox, chain);
  EXPECT_EQ(made(chain), (u128{1} << 100) - 1);
  for (unsigned i = 0; i < 100; ++i) EXPECT_EQ(state_of(outbox, i), SendState::done);
  // The same call under the same id is the same entry; another call is refused.
  must(outbox.submit("mint-3", mint(chain, 3)));
  EXPECT_FALSE(outbox.busy());
  EXPECT_EQ(outbox.submit("mint-3", mint(chain, 4)).error().code, ErrorCode::already_exists);
}

// The issue's demand: killed between any two steps, nothing lost and nothing twice. A death comes
// at each append of the journal, before and behind it; and at each request to the node, before and
// behind it.
TEST_F(OutboxOnChain, KilledBetweenAnyTwoSteps) {
  Chain chain;
  Proxy proxy(chain.anvil.url());
  Node node(must(JsonRpc::open(proxy.url(), quick())), kChainId);
  u128 expected = made(chain);
  unsigned run = 0;
  const auto live = [&](journal::Journal& journal, const SecretKey& key) {
    try {
      Outbox outbox = must(Outbox::open(journal, node, key, kShallow));
      for (unsigned i = 0; i < 3; ++i)
        must(outbox.submit("mint-" + std::to_string(i), mint(chain, i)));
      for (int i = 0; i < 100 && outbox.busy(); ++i) {
        const auto done = outbox.step();
        if (!done && done.error().code == ErrorCode::unavailable) throw Dead{};
      }
      return !outbox.busy();
    } catch (const Dead&) {
      return false;
    }
  };
  const auto scenario = [&](const auto& arm) {
    auto real = journal::make_memory_journal({});
    DeadlyJournal deadly(*real);
    const SecretKey key = key_of(1000 + run++);
    chain.anvil.rpc("anvil_setBalance", {hex0x(key.address().view()), "0x56bc75e2d63100000"});
    arm(deadly);
    bool died = false;
    bool over = live(deadly, key);
    for (int lives = 0; lives < 5 && !over; ++lives) {
      died = true;
      proxy.fall(0, false);
      deadly.die_at(0, false);
      over = live(deadly, key);
    }
    proxy.fall(0, false);
    EXPECT_TRUE(over);
    expected += 7;
    EXPECT_EQ(made(chain), expected) << "run " << run;
    return died;
  };
  for (const bool written : {false, true}) {
    size_t at = 1;
    while (scenario([&](DeadlyJournal& journal) { journal.die_at(at, written); })) ++at;
    EXPECT_GT(at, 10U) << "begun, genesis, and three times submitted, signed, ended";
  }
  for (const bool reached : {false, true}) {
    size_t at = 1;
    const auto die_at_request = [&](DeadlyJournal&) { proxy.fall(at, reached); };
    while (scenario(die_at_request)) ++at;
    EXPECT_GT(at, 20U);
  }
}

TEST_F(OutboxOnChain, StuckIsReplaced) {
  Chain chain;
  chain.anvil.rpc("evm_setAutomine", {false});
  Outbox outbox = must(Outbox::open(*journal_, chain.node, key_, kShallow));
  submit(outbox, chain, 3);
  must(outbox.step());
  for (int i = 0; i < 4; ++i) {
    chain.anvil.rpc("anvil_setNextBlockBaseFeePerGas", {"0x2540be400"});  // 10 gwei
    chain.anvil.mine();
    must(outbox.step());
  }
  finish(outbox, chain);
  EXPECT_EQ(made(chain), 7U);
  EXPECT_GE(outbox.find("mint-0")->attempts.size(), 2U);
  EXPECT_EQ(must(chain.node.latest_nonce(key_.address())), 3U);
}

TEST_F(OutboxOnChain, HighestFeeIsKept) {
  Chain chain;
  chain.anvil.rpc("evm_setAutomine", {false});
  OutboxOptions options = kShallow;
  options.most_fee = 20'000'000'000;
  Outbox outbox = must(Outbox::open(*journal_, chain.node, key_, options));
  chain.anvil.rpc("anvil_setNextBlockBaseFeePerGas", {"0x174876e800"});  // 100 gwei
  chain.anvil.mine();
  submit(outbox, chain, 1);
  const auto dear = outbox.step();
  ASSERT_FALSE(dear);
  EXPECT_NE(dear.error().message.find("waits until gas is cheaper"), std::string::npos);
  EXPECT_EQ(state_of(outbox, 0), SendState::queued);
  chain.anvil.rpc("anvil_setNextBlockBaseFeePerGas", {"0x2540be400"});
  chain.anvil.mine();
  must(outbox.step());
  EXPECT_LE(outbox.find("mint-0")->attempts.back().fees.most, options.most_fee);
  chain.anvil.rpc("anvil_setNextBlockBaseFeePerGas", {"0x2540be400"});
  finish(outbox, chain);
  EXPECT_EQ(made(chain), 1U);
}

TEST_F(OutboxOnChain, DroppedIsSentAgain) {
  Chain chain;
  chain.anvil.rpc("evm_setAutomine", {false});
  Outbox outbox = must(Outbox::open(*journal_, chain.node, key_, kShallow));
  submit(outbox, chain, 5);
  for (int i = 0; i < 3; ++i) {
    must(outbox.step());
    chain.anvil.rpc("anvil_dropAllTransactions");
  }
  finish(outbox, chain);
  EXPECT_EQ(made(chain), 31U);
}

TEST_F(OutboxOnChain, ReorganisedIsSentAgain) {
  Chain chain;
  OutboxOptions options = kShallow;
  options.depth = 4;
  Outbox outbox = must(Outbox::open(*journal_, chain.node, key_, options));
  submit(outbox, chain, 3);
  must(outbox.step());
  chain.anvil.mine();
  must(outbox.step());
  EXPECT_EQ(state_of(outbox, 2), SendState::mined);
  chain.anvil.rpc("anvil_reorg", {4, json::array{}});
  EXPECT_EQ(made(chain), 0U) << "the reorganisation took it";
  must(outbox.step());
  finish(outbox, chain);
  EXPECT_EQ(made(chain), 7U);
  for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(state_of(outbox, i), SendState::done);
}

TEST_F(OutboxOnChain, NonceOfAnotherProgram) {
  Chain chain;
  chain.anvil.rpc("evm_setAutomine", {false});
  Outbox outbox = must(Outbox::open(*journal_, chain.node, key_, kShallow));
  submit(outbox, chain, 2);
  must(outbox.step());
  chain.anvil.rpc("anvil_dropAllTransactions");
  const auto foreign = sign({kChainId, 0, {100'000'000'000, 1}, 100'000, mint(chain, 50)}, key_);
  must(chain.node.send(foreign));
  chain.anvil.mine();
  finish(outbox, chain);
  EXPECT_EQ(state_of(outbox, 0), SendState::lost);
  EXPECT_NE(outbox.find("mint-0")->reason.find("only one program"), std::string::npos);
  EXPECT_EQ(state_of(outbox, 1), SendState::done);
  EXPECT_EQ(made(chain), (u128{1} << 50) + 2);
}

TEST_F(OutboxOnChain, RefusedAndReverted) {
  Chain chain;
  chain.fund(chain.buyer, 100);
  Outbox outbox = must(Outbox::open(*journal_, chain.node, chain.buyer, kShallow));
  must(outbox.submit("too much", {chain.escrow, 0, escrow::withdraw(101, chain.buyer.address())}));
  must(outbox.step());
  EXPECT_EQ(outbox.find("too much")->state, SendState::refused);
  EXPECT_EQ(outbox.find("too much")->reason, "the balance is below the amount: deposit first");

  // Good when it was sent, refused when it was mined.
  const auto bid = chain.bid(0);
  auto terms = chain.terms(bid);
  chain.fund(chain.buyer, 10'000'000);
  Outbox provider_box = must(Outbox::open(*(journal_ = journal::make_memory_journal({})),
                                          chain.node, chain.provider, kShallow));
  chain.anvil.rpc("evm_setAutomine", {false});
  must(provider_box.submit("open", {chain.escrow, 0, chain.open(terms, bid)}));
  must(provider_box.step());
  const auto pause = sign({kChainId,
                           0,
                           {100'000'000'000, 90'000'000'000},
                           100'000,
                           {chain.escrow, 0, escrow::set_paused(true)}},
                          chain.guardian);
  must(chain.node.send(pause));
  finish(provider_box, chain);
  EXPECT_EQ(provider_box.find("open")->state, SendState::reverted);
  EXPECT_EQ(provider_box.find("open")->reason, "the guardian has stopped the opening of leases");
}

TEST_F(OutboxOnChain, NodeKilledAndRestarted) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("mizan-anvil-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  {
    Chain chain(9, {"--state", (folder / "state.json").string()});
    Node node(must(JsonRpc::open(chain.anvil.url(), quick())), kChainId);
    Outbox outbox = must(Outbox::open(*journal_, node, key_, kShallow));
    submit(outbox, chain, 3);
    must(outbox.step());
    chain.anvil.mine();
    chain.anvil.terminate();
    for (unsigned i = 3; i < 6; ++i)
      must(outbox.submit("mint-" + std::to_string(i), mint(chain, i)));
    const auto away = outbox.step();
    ASSERT_FALSE(away);
    EXPECT_EQ(away.error().code, ErrorCode::unavailable);
    EXPECT_NE(away.error().message.find("does not answer"), std::string::npos);
    chain.anvil.start();
    finish(outbox, chain);
    EXPECT_EQ(made(chain), 63U);
  }
  std::filesystem::remove_all(folder);
}

TEST_F(OutboxOnChain, AnotherChainOfTheSameId) {
  Chain chain;
  Outbox outbox = must(Outbox::open(*journal_, chain.node, key_, kShallow));
  submit(outbox, chain, 1);
  finish(outbox, chain);
  chain.anvil.mine();
  Chain other(9, {"--timestamp", "1700000000"});
  Outbox again = must(Outbox::open(*journal_, other.node, key_, kShallow));
  must(again.submit("mint-1", mint(chain, 1)));
  const auto step = again.step();
  ASSERT_FALSE(step);
  EXPECT_NE(step.error().message.find("serves another chain of the same id"), std::string::npos);
  EXPECT_FALSE(Outbox::open(*journal_, other.node, key_of(11), kShallow));
}

TEST_F(OutboxOnChain, LyingAndBrokenNodes) {
  Chain chain;
  Proxy proxy(chain.anvil.url());
  Node node(must(JsonRpc::open(proxy.url(), quick())), kChainId);
  Outbox outbox = must(Outbox::open(*journal_, node, key_, kShallow));
  submit(outbox, chain, 2);
  const auto waits = [&](const Proxy::Rewrite& rewrite, const std::string& says) {
    proxy.set(rewrite);
    const auto step = outbox.step();
    ASSERT_FALSE(step) << says;
    EXPECT_EQ(step.error().code, ErrorCode::unavailable) << step.error().message;
    EXPECT_NE(step.error().message.find(says), std::string::npos) << step.error().message;
    EXPECT_TRUE(outbox.busy());
  };
  const auto always = [](const std::string& text) {
    return [text](const std::string&, const std::string&) { return std::optional(text); };
  };
  const auto instead = [](const std::string& of, const json::value& result) {
    return [of, result](const std::string& method, std::string answer) {
      return std::optional(method == of ? with_result(answer, result) : std::move(answer));
    };
  };
  waits([](const std::string&, const std::string&) { return std::optional<std::string>(); },
        "HTTP status 503");
  waits(always(""), "does not talk JSON-RPC");
  waits(always("<html>busy</html>"), "does not talk JSON-RPC");
  waits(always("[]"), "does not talk JSON-RPC");
  waits(always(R"({"jsonrpc":"2.0","id":77,"result":"0x7a69"})"), "answers another question");
  waits(instead("eth_chainId", "0x1"), "serves chain 1 and not 31337");
  waits(instead("eth_chainId", nullptr), "serves chain 0 and not 31337");
  waits(instead("eth_getBlockByNumber", json::object{{"number", "0x1"}}), "a block that is none");
  waits(instead("eth_getTransactionCount", "0xffffffffffffffffffffffff"), "a nonce that is none");
  waits(instead("eth_estimateGas", "0x0"), "an amount of gas that is none");
  waits(instead("eth_maxPriorityFeePerGas", json::array{}), "a tip that is none");
  proxy.set({});
  finish(outbox, chain);
  EXPECT_EQ(made(chain), 3U);

  // A receipt that is no more, or of another transaction.
  must(outbox.submit("mint-2", mint(chain, 2)));
  proxy.set(instead("eth_getTransactionReceipt", nullptr));
  for (int i = 0; i < 2; ++i) must(outbox.step());
  EXPECT_NE(state_of(outbox, 2), SendState::done);
  proxy.set({});
  finish(outbox, chain);
  EXPECT_EQ(state_of(outbox, 2), SendState::done);
  EXPECT_EQ(made(chain), 7U);
}

TEST_F(OutboxOnChain, NonceGapOfALieIsFilled) {
  Chain chain;
  Proxy proxy(chain.anvil.url());
  Node node(must(JsonRpc::open(proxy.url(), quick())), kChainId);
  Outbox outbox = must(Outbox::open(*journal_, node, key_, kShallow));
  submit(outbox, chain, 2);
  proxy.set([](const std::string& method, std::string answer) {
    return std::optional(method == "eth_getTransactionCount" ? with_result(answer, "0x3")
                                                             : std::move(answer));
  });
  must(outbox.step());
  EXPECT_EQ(outbox.find("mint-0")->nonce, 3U);
  proxy.set({});
  finish(outbox, chain);
  EXPECT_EQ(made(chain), 3U);
  EXPECT_EQ(must(chain.node.latest_nonce(key_.address())), 5U);
}

TEST_F(OutboxOnChain, ForgetsAndCompacts) {
  Chain chain;
  Outbox outbox = must(Outbox::open(*journal_, chain.node, key_, kShallow));
  submit(outbox, chain, 1);
  EXPECT_EQ(outbox.forget("mint-0").error().code, ErrorCode::conflict);
  finish(outbox, chain);
  must(outbox.forget("mint-0"));
  EXPECT_EQ(outbox.find("mint-0"), nullptr);
  Outbox again = must(Outbox::open(*journal_, chain.node, key_, kShallow));
  EXPECT_TRUE(again.entries().empty());
  submit(again, chain, 2);
  EXPECT_EQ(again.entries().size(), 2U);
  finish(again, chain);
  EXPECT_EQ(made(chain), 4U) << "mint-0 was asked for anew";
}

}  // namespace
}  // namespace mizan::test
