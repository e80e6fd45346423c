#include "exchange/verify.hpp"

#include "crypto/eip712.hpp"
#include "support/core_world.hpp"

namespace mizan::exchange {
namespace {

using test::CoreWorld;

class VerifyTest : public ::testing::Test {
 protected:
  VerifyTest() {
    Genesis genesis = *w.core.config();
    genesis.operator_ = operator_key.address();
    genesis.meter = meter.address();
    core.apply({1, w.now, {}, genesis});
  }
  ErrorCode fault(const Command& command) {
    const auto result = verify(command, core);
    EXPECT_FALSE(result);
    return result ? ErrorCode::internal : result.error().code;
  }
  CoreWorld w;
  Exchange core;
  SecretKey operator_key = SecretKey::generate();
  SecretKey meter = SecretKey::generate();
  SecretKey buyer = SecretKey::generate();
  SecretKey provider = SecretKey::generate();
};

TEST_F(VerifyTest, OrdersAreTheirOwnersAndHoldWhatTheySign) {
  PlaceBid bid = w.bid(1, 20);
  bid.bid.buyer = buyer.address();
  bid.bid.spec_hash = keccak256(bid.spec);
  bid.signature = eip712::sign(w.domain, bid.bid, buyer);
  EXPECT_TRUE(verify(bid, core));
  PlaceBid altered = bid;
  altered.bid.max_total -= 1;
  EXPECT_EQ(fault(altered), ErrorCode::unauthenticated);
  altered = bid;
  altered.spec += " ";
  EXPECT_EQ(fault(altered), ErrorCode::invalid_argument);
  altered = bid;
  altered.signature = eip712::sign(eip712::Domain::credits(keccak256("other")), bid.bid, buyer);
  EXPECT_EQ(fault(altered), ErrorCode::unauthenticated);

  PlaceAsk ask = w.ask(2, 10);
  ask.ask.provider = provider.address();
  ask.ask.attributes_hash = keccak256(ask.attributes);
  ask.signature = eip712::sign(w.domain, ask.ask, provider);
  EXPECT_TRUE(verify(ask, core));
  ask.attributes = "{}";
  EXPECT_EQ(fault(ask), ErrorCode::invalid_argument);
}

TEST_F(VerifyTest, GrantsAreTheOperators) {
  Grant grant{{buyer.address(), 1'000'000, 1, w.seconds() + 10}, {}};
  grant.signature = eip712::sign(w.domain, grant.grant, buyer);
  EXPECT_EQ(fault(grant), ErrorCode::unauthenticated);
  grant.signature = eip712::sign(w.domain, grant.grant, operator_key);
  EXPECT_TRUE(verify(grant, core));
}

TEST_F(VerifyTest, ClosesAreTheLeasesPartiesAndVouchersItsMeters) {
  uint64_t sequence = core.last_sequence();
  const auto apply = [&](const Command& command) {
    const Outcome outcome = core.apply({++sequence, w.now, {}, command});
    EXPECT_TRUE(outcome.answer) << outcome.answer.error().message;
    return outcome.answer.value_or(Answer{});
  };
  apply(Grant{{buyer.address(), 1'000'000, 1, w.seconds() + 10}, {}});
  PlaceAsk ask = w.ask(2, 10);
  ask.ask.provider = provider.address();
  apply(ask);
  PlaceBid bid = w.bid(1, 20);
  bid.bid.buyer = buyer.address();
  bid.bid.meter = meter.address();
  const LeaseId id = apply(bid).leases.at(0);
  Close close{{id, 5}, {}};
  close.signature = eip712::sign(w.domain, close.close, buyer);
  EXPECT_EQ(fault(close), ErrorCode::unauthenticated);
  close.signature = eip712::sign(w.domain, close.close, provider);
  EXPECT_TRUE(verify(close, core));
  PostVoucher voucher{{id, 7}, {}};
  voucher.signature = eip712::sign(w.domain, voucher.voucher, meter);
  EXPECT_TRUE(verify(voucher, core));
  voucher.voucher.cumulative = 8;
  EXPECT_EQ(fault(voucher), ErrorCode::unauthenticated);
  voucher.voucher.lease = keccak256("unknown");
  EXPECT_EQ(fault(voucher), ErrorCode::not_found);
  RequestClose stop{{id, 1, w.seconds(), 0}, {}};
  stop.signature = eip712::sign(w.domain, stop.request, buyer);
  EXPECT_TRUE(verify(stop, core));
  stop.request.lease = keccak256("unknown");
  EXPECT_EQ(fault(stop), ErrorCode::not_found);
  Accept accept{core.find_lease(id)->terms, {}};
  accept.signature = eip712::sign(w.domain, accept.terms, provider);
  EXPECT_TRUE(verify(accept, core));
}

}  // namespace
}  // namespace mizan::exchange
