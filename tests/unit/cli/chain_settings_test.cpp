#include "mizan/chain_settings.hpp"

#include <gtest/gtest.h>

namespace mizan::cli {
namespace {

TEST(ChainSettings, UnitsOfAToken) {
  EXPECT_EQ(*units_from(*parse_usd("1.5"), 6), 1'500'000U);
  EXPECT_EQ(*units_from(*parse_usd("0.000000001"), 18), 1'000'000'000U);
  EXPECT_EQ(*units_from(*parse_usd("2"), 9), 2'000'000'000U);
  EXPECT_FALSE(units_from(*parse_usd("0.0000001"), 6)) << "finer than the token";
  EXPECT_FALSE(units_from(Money{~u128{0}}, 18)) << "beyond 128 bits";
}

TEST(ChainSettings, UnitsForPeople) {
  EXPECT_EQ(format_units(1'500'000, 6), "$1.50");
  EXPECT_EQ(format_units(0, 18), "$0.00");
  EXPECT_EQ(format_units(1, 18), "$0.000000000000000001");
  EXPECT_EQ(format_units(12'345'678, 6), "$12.345678");
}

TEST(ChainSettings, DepthThatNoChainTurnsIsRefused) {
  EXPECT_TRUE(check_depth(1000, "--depth"));
  const auto deep = check_depth(1001, "--depth");
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().message, "--depth: is at most 1000 blocks");
  EXPECT_EQ(deep.error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace mizan::cli
