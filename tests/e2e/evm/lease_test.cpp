// A lease's life on a real node, through this repository's own encoder and signatures.
#include "chain.hpp"
#include "settlement/follower.hpp"

namespace mizan::test {
namespace {

std::string refusal(const Result<Receipt>& result) {
  if (result) return "done";
  const auto name = result.error().details.find("revert");
  return name == result.error().details.end() ? result.error().message : name->second;
}

TEST(LeaseOnChain, OpenClaimClose) {
  MIZAN_NEEDS_ANVIL();
  Chain chain;
  chain.fund(chain.buyer, 10'000'000'000);
  const auto bid = chain.bid(0);
  const auto terms = chain.terms(bid);
  must(chain.send(chain.provider, chain.escrow, chain.open(terms, bid)));
  EXPECT_EQ(chain.units_of(chain.buyer.address()), 10'000'000'000 - 2'400'000);

  const auto opened = chain.lease(chain.id(terms))[0];
  chain.anvil.mine_at(static_cast<uint64_t>(opened) + 100);
  must(chain.send(key_of(7), chain.escrow,
                  escrow::claim(terms, 4000 * 50, chain.voucher(terms, 4000 * 50), {})));
  EXPECT_EQ(chain.lease(chain.id(terms))[2], 200'000U);
  must(chain.send(key_of(8), chain.escrow, chain.close(terms, 4000 * 100)));
  EXPECT_EQ(chain.lease(chain.id(terms))[0], 0U);
  EXPECT_EQ(chain.units_of(chain.provider.address()), 396'000U);
  EXPECT_EQ(chain.units_of(chain.fee_to), 4'000U);
  EXPECT_EQ(chain.units_of(chain.buyer.address()), 10'000'000'000U - 400'000);

  must(chain.send(chain.provider, chain.escrow,
                  escrow::withdraw(396'000, chain.provider.address())));
  EXPECT_EQ(chain.tokens_of(chain.provider.address()), 396'000U);

  Follower follower(chain.node, chain.escrow, {0, must(chain.node.block(0))->hash},
                    {.depth = 0, .recent = 0});
  const auto changes = must(follower.poll());
  ASSERT_EQ(changes.size(), 1U);
  const auto& events = std::get<Seen>(changes[0]).events;
  ASSERT_EQ(events.size(), 5U);
  EXPECT_EQ(std::get<Deposited>(events[0].event).amount, 10'000'000'000U);
  EXPECT_EQ(std::get<Opened>(events[1].event), (Opened{chain.id(terms), 2'400'000}));
  EXPECT_EQ(std::get<Claimed>(events[2].event), (Claimed{chain.id(terms), 200'000, 2'000}));
  EXPECT_EQ(std::get<Closed>(events[3].event),
            (Closed{chain.id(terms), 200'000, 2'000, 2'000'000}));
  EXPECT_EQ(std::get<Withdrawn>(events[4].event).amount, 396'000U);
  EXPECT_TRUE(must(follower.poll()).empty()) << "told once";
}

TEST(LeaseOnChain, BuyerLeavesAloneAndProviderToo) {
  MIZAN_NEEDS_ANVIL();
  Chain chain;
  chain.fund(chain.buyer, 10'000'000'000);
  const auto bid = chain.bid(1);
  const auto terms = chain.terms(bid);
  must(chain.send(chain.provider, chain.escrow, chain.open(terms, bid)));
  const auto opened = static_cast<uint64_t>(chain.lease(chain.id(terms))[0]);
  chain.anvil.mine_at(opened + 10);
  // Relayed by a stranger with the buyer's signature: leaving needs no gas.
  const eip712::RequestClose request{chain.id(terms), 5, opened + 1000, 1000};
  must(chain.send(key_of(9), chain.escrow,
                  escrow::request_close_for(
                      terms, request, eip712::sign(chain.domain, request, chain.buyer), 1000)));
  EXPECT_EQ(chain.units_of(key_of(9).address()), 1000U);
  EXPECT_EQ(refusal(chain.send(chain.buyer, chain.escrow, escrow::request_close(terms))),
            "AlreadyRequested");
  EXPECT_EQ(refusal(chain.send(key_of(9), chain.escrow, escrow::finalize_close(terms))),
            "DelayNotOver");
  chain.anvil.mine_at(opened + 24 * 3600 + 100);
  must(chain.send(key_of(9), chain.escrow, escrow::finalize_close(terms)));
  EXPECT_EQ(chain.units_of(chain.buyer.address()), 10'000'000'000U - 1000);

  const auto withdraw =
      eip712::Withdraw{chain.buyer.address(), 9'000'000'000, 6, chain.anvil.time() + 100, 5};
  must(chain.send(
      key_of(9), chain.escrow,
      escrow::withdraw_for(withdraw, eip712::sign(chain.domain, withdraw, chain.buyer), 5)));
  EXPECT_EQ(chain.tokens_of(chain.buyer.address()), 9'000'000'000U - 5);
}

TEST(LeaseOnChain, RefusalsAreSentences) {
  MIZAN_NEEDS_ANVIL();
  Chain chain;
  chain.fund(chain.buyer, 2'400'000);
  const auto bid = chain.bid(0);
  auto terms = chain.terms(bid);
  const auto open = chain.open(terms, bid);
  const auto bad = [&](auto change) {
    auto other = terms;
    change(other);
    return refusal(chain.send(chain.provider, chain.escrow, chain.open(other, bid)));
  };
  EXPECT_EQ(bad([](auto& t) { t.rate = 1001; }), "OutsideBid");
  EXPECT_EQ(bad([](auto& t) { t.seconds = 0; }), "BadTerms");
  EXPECT_EQ(bad([](auto& t) { t.bid_nonce = 1; }), "OutsideBid");
  must(chain.send(chain.guardian, chain.escrow, escrow::set_paused(true)));
  const auto paused = chain.send(chain.provider, chain.escrow, open);
  EXPECT_EQ(refusal(paused), "OpeningPaused");
  EXPECT_EQ(paused.error().message, "the guardian has stopped the opening of leases");
  must(chain.send(chain.guardian, chain.escrow, escrow::set_paused(false)));
  must(chain.send(chain.provider, chain.escrow, open));
  EXPECT_EQ(refusal(chain.send(chain.provider, chain.escrow, open)), "BidNonceSpent");

  // Vouchers: of the wrong key, of another lease, of another chain or contract.
  const auto claim = [&](const Signature& signature) {
    return refusal(chain.send(key_of(7), chain.escrow, escrow::claim(terms, 4000, signature, {})));
  };
  const eip712::Voucher voucher{chain.id(terms), 4000};
  EXPECT_EQ(claim(eip712::sign(chain.domain, voucher, key_of(7))), "VoucherNotSigned");
  EXPECT_EQ(claim(eip712::sign(chain.domain, eip712::Voucher{Hash32{}, 4000}, chain.meter)),
            "VoucherNotSigned");
  EXPECT_EQ(claim(eip712::sign(eip712::Domain::evm(1, chain.escrow), voucher, chain.meter)),
            "VoucherNotSigned");
  EXPECT_EQ(claim(eip712::sign(eip712::Domain::evm(kChainId, chain.token), voucher, chain.meter)),
            "VoucherNotSigned");
  EXPECT_EQ(
      refusal(chain.send(chain.buyer, chain.escrow, escrow::withdraw(1, chain.buyer.address()))),
      "InsufficientBalance");
  EXPECT_EQ(refusal(chain.send(chain.buyer, chain.escrow, escrow::deposit(1))),
            "TransferFromFailed");
  terms.start += 1;
  EXPECT_EQ(refusal(chain.send(chain.provider, chain.escrow, chain.close(terms, 0))), "NotOpen");
}

TEST(LeaseOnChain, BatchSkipsWhatFails) {
  MIZAN_NEEDS_ANVIL();
  Chain chain;
  chain.fund(chain.buyer, 10'000'000'000);
  std::vector<OpenItem> items;
  eip712::ClearanceBatch batch{{}, {}, chain.anvil.time() + 60};
  for (uint64_t nonce = 0; nonce < 3; ++nonce) {
    const auto bid = chain.bid(nonce);
    items.push_back(chain.open_item(chain.terms(bid), bid));
    if (nonce == 1) items.back().bid_signature.bytes[3] ^= 1;
    batch.leases.push_back(chain.id(items.back().terms));
  }
  must(chain.send(
      key_of(7), chain.escrow,
      escrow::open_many(items, batch, eip712::sign(chain.domain, batch, chain.clearance))));
  EXPECT_NE(chain.lease(batch.leases[0])[0], 0U);
  EXPECT_EQ(chain.lease(batch.leases[1])[0], 0U);
  EXPECT_NE(chain.lease(batch.leases[2])[0], 0U);
}

}  // namespace
}  // namespace mizan::test
