#include "policy/number.hpp"

#include <gtest/gtest.h>

namespace mizan::policy {
namespace {

TEST(Decimal, ReadsExactly) {
  for (const auto& [text, nano] :
       std::initializer_list<std::pair<const char*, int64_t>>{{"0", 0},
                                                              {"1", kNano},
                                                              {"0.3", 300'000'000},
                                                              {"989.5", 989'500'000'000},
                                                              {"4799.9", 4'799'900'000'000},
                                                              {"0.000000001", 1},
                                                              {"1.5e3", 1500 * kNano},
                                                              {"15E-1", 1'500'000'000},
                                                              {"1e-9", 1},
                                                              {"2.50000000000", 2'500'000'000},
                                                              {"100000000", 100'000'000 * kNano}}) {
    const auto value = parse_decimal(text);
    ASSERT_TRUE(value.has_value()) << text;
    EXPECT_EQ(value->nano, nano) << text;
  }
}

TEST(Decimal, RefusesTheRest) {
  for (const char* text : {"", "-1", "+1", ".5", "5.", "1.2.3", "1e", "1e+", "1e999", "0x1", "1 ",
                           " 1", "nan", "0.0000000001", "100000000.1", "1e9", "1e20", "--1"})
    EXPECT_FALSE(parse_decimal(text)) << text;
}

TEST(Decimal, IsSpelledShortest) {
  EXPECT_EQ(to_string(*parse_decimal("989.500")), "989.5");
  EXPECT_EQ(to_string(*parse_decimal("814")), "814");
  EXPECT_EQ(to_string(*parse_decimal("0.000000001")), "0.000000001");
}

TEST(Date, KnowsTheCalendar) {
  EXPECT_EQ(to_string(*parse_date("2024-02-29")), "2024-02-29");
  EXPECT_EQ(to_string(*parse_date("2000-02-29")), "2000-02-29");
  for (const char* text :
       {"2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "2024-04-31",
        "2024-1-1", "20240101", "2024-01-01T00:00", "1899-12-31", "2024/01/01", "", "yyyy-mm-dd"})
    EXPECT_FALSE(parse_date(text)) << text;
  EXPECT_LT(*parse_date("2023-11-16"), *parse_date("2023-11-17"));
}

TEST(Date, ComesFromATime) {
  for (const auto& [ms, day] :
       std::initializer_list<std::pair<uint64_t, const char*>>{{0, "1970-01-01"},
                                                               {86'399'999, "1970-01-01"},
                                                               {86'400'000, "1970-01-02"},
                                                               {951'782'400'000, "2000-02-29"},
                                                               {1'709'164'800'000, "2024-02-29"},
                                                               {1'735'603'200'000, "2024-12-31"},
                                                               {1'763'769'600'000, "2025-11-22"}})
    EXPECT_EQ(to_string(date_of(UnixMs{ms})), day) << ms;
}

TEST(QuoteDecimals, TouchesNumbersOutsideStringsOnly) {
  EXPECT_EQ(quote_decimals(R"({"a": 1.5, "b": 2, "c": "1.5", "d": [1e3, -0.5], "e\"1.5": 3})"),
            R"({"a": "1.5", "b": 2, "c": "1.5", "d": ["1e3", "-0.5"], "e\"1.5": 3})");
  EXPECT_EQ(quote_decimals("1.2.3"), "\"1.2.3\"");
  EXPECT_EQ(quote_decimals("\"open 1.5"), "\"open 1.5");
  EXPECT_EQ(quote_decimals("\"end\\"), "\"end\\");
}

}  // namespace
}  // namespace mizan::policy
