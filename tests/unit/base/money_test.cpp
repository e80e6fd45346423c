#include "base/money.hpp"

#include <gtest/gtest.h>

namespace mizan {

TEST(Money, ParsesUsdExactly) {
  EXPECT_EQ(parse_usd("2.5")->nano, u128{2'500'000'000});
  EXPECT_EQ(parse_usd("0.000000001")->nano, u128{1});
  EXPECT_EQ(parse_usd("$10")->nano, u128{10'000'000'000});
  EXPECT_FALSE(parse_usd("0.0000000001"));
  EXPECT_FALSE(parse_usd("1."));
  EXPECT_FALSE(parse_usd("-1"));
  EXPECT_FALSE(parse_usd("1e3"));
  EXPECT_FALSE(parse_usd(""));
}

TEST(Money, FormatsWithoutLosingANano) {
  EXPECT_EQ(format_usd(Money{12'300'000'000}), "$12.30");
  EXPECT_EQ(format_usd(Money{1}), "$0.000000001");
  EXPECT_EQ(format_usd(Money{}), "$0.00");
}

TEST(Money, RateIsRoundedDown) {
  EXPECT_EQ(rate_from_usd_hour("2.5")->nano, u128{694'444});
  EXPECT_EQ(format_usd_hour(Rate{694'444}), "$2.4999984");
}

TEST(Money, CostIsCheckedNotWrapped) {
  EXPECT_EQ(cost(Rate{7}, 3, 10)->nano, u128{210});
  EXPECT_EQ(cost(Rate{~u128{0}}, 2, 1).error().code, ErrorCode::overflow);
}

TEST(Money, ReadsBackEveryDecimal) {
  const u128 largest = ~u128{0};
  EXPECT_EQ(*parse_u128(to_string(largest)), largest);
  EXPECT_FALSE(parse_u128(to_string(largest) + "0"));
  EXPECT_FALSE(parse_u128("01"));
  EXPECT_FALSE(parse_u128(""));
}

TEST(MoneyDeathTest, NeverGoesBelowZero) {
  EXPECT_DEATH(Money{1} - Money{2}, "never goes below zero");
}

}  // namespace mizan
