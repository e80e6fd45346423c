#include "base/payee.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace mizan {
namespace {

std::vector<Payee> payees(const std::vector<uint16_t>& shares) {
  std::vector<Payee> out;
  for (const uint16_t bps : shares) {
    Payee one{{}, bps};
    one.to.bytes[19] = static_cast<uint8_t>(out.size() + 1);
    out.push_back(one);
  }
  return out;
}

std::string fault(const std::vector<Payee>& list) {
  const auto good = check_payees(list, "payees");
  return good ? "" : good.error().message;
}

TEST(Payees, FaultsAreNamed) {
  EXPECT_EQ(fault(payees({10'000})), "");
  EXPECT_EQ(fault(payees({1250, 1250, 1250, 1250, 1250, 1250, 1250, 1250})), "");
  EXPECT_EQ(fault({}),
            "payees: names 1 to 8 payees; one account can pass on what it was paid to more");
  EXPECT_EQ(fault(payees(std::vector<uint16_t>(9, 1))).substr(0, 28),
            "payees: names 1 to 8 payees;");
  EXPECT_EQ(fault(payees({5000, 4999})),
            "payees: shares add up to 9999 of 10000: name the provider itself for what it keeps");
  EXPECT_EQ(fault(payees({5000, 5001})),
            "payees: shares add up to 10001 of 10000: name the provider itself for what it keeps");
  EXPECT_EQ(fault(payees({0, 10'000})), "payees[0].bps: is 1 to 10000, hundredths of a percent");
  EXPECT_EQ(fault(payees({10'001})), "payees[0].bps: is 1 to 10000, hundredths of a percent");
  auto twice = payees({5000, 5000});
  twice[1].to = twice[0].to;
  EXPECT_EQ(fault(twice), "payees[1].to: is named before: add the two shares up");
  auto nobody = payees({5000, 5000});
  nobody[1].to = {};
  EXPECT_EQ(fault(nobody), "payees[1].to: is not the zero address");
}

TEST(Payees, TheLastHasWhatRoundingLeaves) {
  EXPECT_EQ(shares_of(Money{100}, payees({3333, 3333, 3334})),
            (std::vector<Money>{{33}, {33}, {34}}));
  EXPECT_EQ(shares_of(Money{1}, payees({9999, 1})), (std::vector<Money>{{0}, {1}}));
  EXPECT_EQ(shares_of(Money{0}, payees({1, 9999})), (std::vector<Money>{{0}, {0}}));
  EXPECT_TRUE(shares_of(Money{100}, {}).empty());
}

TEST(Payees, NobodysPartShrinksAsTheWholeGrows) {
  const auto list = payees({1249, 1249, 1249, 1249, 1249, 1249, 1249, 1257});
  std::vector<Money> had = shares_of(Money{}, list);
  for (u128 net = 1; net < 1000; ++net) {
    const std::vector<Money> has = shares_of(Money{net}, list);
    EXPECT_EQ(std::accumulate(has.begin(), has.end(), Money{}), Money{net});
    for (size_t i = 0; i < has.size(); ++i) EXPECT_GE(has[i], had[i]) << i;
    had = has;
  }
}

TEST(Payees, SharesOfTheLargestAmountDoNotWrap) {
  const Money most{~u128{0}};
  const auto shares = shares_of(most, payees({1, 4999, 5000}));
  EXPECT_EQ(std::accumulate(shares.begin(), shares.end(), Money{}), most);
  EXPECT_EQ(shares[0].nano, ~u128{0} / 10'000);
}

}  // namespace
}  // namespace mizan
