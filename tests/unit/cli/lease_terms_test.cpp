// A buyer's own meter against an exchange that lies: docs/LEASE.md, "A buyer's own meter".
#include "mizan/lease_terms.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace mizan::cli {
namespace {

Address someone(uint8_t n) {
  Address out;
  out.bytes[19] = n;
  return out;
}

class LeaseTermsTest : public ::testing::Test {
 protected:
  LeaseTermsTest() {
    bid.buyer = someone(1);
    bid.meter = someone(2);
    bid.max_rate = 100;
    bid.nodes = 4;
    bid.units_per_node = 2;
    bid.max_seconds = 1'000;
    bid.earliest_start = 5'000;
    bid.latest_start = 6'000;
    bid.grace = 60;
    bid.max_total = 90 * 2 * 2 * 1'000;
    bid.max_fee_bps = 250;
    bid.nonce = 700;
    terms.buyer = bid.buyer;
    terms.provider = someone(3);
    terms.meter = bid.meter;
    terms.rate = 90;
    terms.units_per_node = 2;
    terms.seconds = 1'000;
    terms.start = 5'500;
    terms.grace = 60;
    terms.fee_bps = 250;
    terms.bid_nonce = 702;
    terms.node_count = 2;
  }
  /// Why nothing is signed, where the exchange has made it the lease's own terms; "" if all is
  /// well.
  std::string refusal(const std::function<void(eip712::Terms&)>& change) const {
    eip712::Terms lie = terms;
    change(lie);
    const auto checked =
        check_lease_terms(domain, bid, someone(2), eip712::digest(domain, lie), lie);
    if (checked) return "";
    EXPECT_EQ(checked.error().code, ErrorCode::unauthenticated);
    return checked.error().message;
  }
  const eip712::Domain domain = eip712::Domain::evm(31337, someone(9));
  eip712::Bid bid;
  eip712::Terms terms;
};

TEST_F(LeaseTermsTest, WhatTheBidAllowsIsSignedFor) {
  EXPECT_EQ(refusal([](eip712::Terms&) {}), "");
  EXPECT_EQ(refusal([](eip712::Terms& t) { t.rate = 1; }), "") << "cheaper";
  EXPECT_EQ(refusal([](eip712::Terms& t) { t.start = 6'000; }), "");
  EXPECT_EQ(refusal([](eip712::Terms& t) { t.provider = someone(4); }), "")
      << "its heartbeats have to be signed by that one";
}

TEST_F(LeaseTermsTest, NothingIsSignedForWhatItDoesNotAllow) {
  using Terms = eip712::Terms;
  const std::pair<const char*, std::function<void(Terms&)>> lies[] = {
      {"buyer", [](Terms& t) { t.buyer = someone(8); }},
      {"bidNonce", [](Terms& t) { t.bid_nonce = 699; }},
      {"bidNonce", [](Terms& t) { t.bid_nonce = 704; }},
      {"meter", [](Terms& t) { t.meter = someone(8); }},
      {"rate", [](Terms& t) { t.rate = 101; }},
      {"nodeCount", [](Terms& t) { t.node_count = 5; }},
      {"unitsPerNode", [](Terms& t) { t.units_per_node = 3; }},
      {"seconds", [](Terms& t) { t.seconds = 1'001; }},
      {"seconds", [](Terms& t) { t.rate = 100; }},  // beyond maxTotal
      {"seconds", [](Terms& t) { t.node_count = 3; }},
      {"start", [](Terms& t) { t.start = 6'001; }},
      {"start", [](Terms& t) { t.start = 4'999; }},
      {"grace", [](Terms& t) { t.grace = 61; }},
      {"feeBps", [](Terms& t) { t.fee_bps = 251; }},
  };
  for (const auto& [field, lie] : lies)
    EXPECT_EQ(refusal(lie), "terms." + std::string(field) +
                                ": not what the bid allows, so nothing is signed for them");
}

TEST_F(LeaseTermsTest, TermsOfAnotherLeaseOrOfABidForAnotherMeterAreNotSignedFor) {
  const auto other = check_lease_terms(
      domain, bid, someone(2), eip712::digest(eip712::Domain::evm(1, someone(9)), terms), terms);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message, "terms: are not those of the lease");
  const auto not_ours =
      check_lease_terms(domain, bid, someone(7), eip712::digest(domain, terms), terms);
  ASSERT_FALSE(not_ours);
  EXPECT_NE(not_ours.error().message.find("terms.meter"), std::string::npos);
}

}  // namespace
}  // namespace mizan::cli
