#include "market/query.hpp"

#include <gtest/gtest.h>

namespace mizan::market {
namespace {

Clause only(std::string_view text) {
  auto query = parse_query(text);
  EXPECT_TRUE(query) << text << ": " << query.error().message;
  EXPECT_EQ(query->clauses.size(), 1u);
  return query->clauses.front();
}

TEST(Query, ReadsEveryOperator) {
  EXPECT_EQ(only("units=8").op, Op::equal);
  EXPECT_EQ(only("units==8").op, Op::equal);
  EXPECT_EQ(only("units != 8").op, Op::not_equal);
  EXPECT_EQ(only("units<8").op, Op::less);
  EXPECT_EQ(only("units <=8").op, Op::at_most);
  EXPECT_EQ(only("units> 8").op, Op::more);
  EXPECT_EQ(only("units>=8").op, Op::at_least);
  EXPECT_EQ(only("country in SG,JP").op, Op::in);
  EXPECT_EQ(only("country notin [SG, JP]").op, Op::not_in);
}

TEST(Query, ReadsValues) {
  EXPECT_EQ(only("rate<2.5").numbers, std::vector<Milli>{2500});
  EXPECT_EQ(only("cores=-0.125").numbers, std::vector<Milli>{-125});
  EXPECT_EQ(only("chip=\"H100 SXM\"").words, std::vector<std::string>{"H100 SXM"});
  EXPECT_EQ(only("chip='H100 SXM'").words, std::vector<std::string>{"H100 SXM"});
  EXPECT_EQ(only("units in [8, 1,4]").numbers, (std::vector<Milli>{1000, 4000, 8000}));
  EXPECT_EQ(only("chip in ['A100 PCIe', B200]").words,
            (std::vector<std::string>{"A100 PCIe", "B200"}));
  const auto both = parse_query("  chip=\"H100 SXM\" units>=8\trate<2.5 ");
  ASSERT_TRUE(both);
  ASSERT_EQ(both->clauses.size(), 3u);
  EXPECT_EQ(both->clauses[1].text, "units>=8");
  EXPECT_EQ(*both->only_chip(), "H100 SXM");
  const auto lists = parse_query("chip in A,B cores>=4 country in [SG , JP] units=1");
  ASSERT_TRUE(lists) << lists.error().message;
  ASSERT_EQ(lists->clauses.size(), 4u);
  EXPECT_EQ(lists->clauses[0].text, "chip in A,B");
  EXPECT_EQ(lists->clauses[2].text, "country in [SG , JP]");
  EXPECT_TRUE(parse_query("")->clauses.empty());
}

struct Bad {
  std::string text;
  ErrorCode code;
  std::string position;
};

TEST(Query, NamesThePlaceOfAFault) {
  const Bad cases[] = {
      {"memry_gb>=8", ErrorCode::unknown_field, "1"},
      {"units>=8 chpi=A", ErrorCode::unknown_field, "10"},
      {">=8", ErrorCode::invalid_argument, "1"},
      {"units 8", ErrorCode::invalid_argument, "7"},
      {"units>=", ErrorCode::invalid_argument, "8"},
      {"units>=eight", ErrorCode::invalid_argument, "8"},
      {"units>=1.2345", ErrorCode::invalid_argument, "8"},
      {"units>=99999999999999999999", ErrorCode::invalid_argument, "8"},
      {"chip>=A", ErrorCode::invalid_argument, "5"},
      {"chip='A", ErrorCode::invalid_argument, "6"},
      {"country in [SG, JP", ErrorCode::invalid_argument, "19"},
      {"country in SG,", ErrorCode::invalid_argument, "15"},
      {"measured=yes", ErrorCode::invalid_argument, "10"},
      {"chip='A'units=8", ErrorCode::invalid_argument, "9"},
  };
  for (const Bad& bad : cases) {
    const auto query = parse_query(bad.text);
    ASSERT_FALSE(query) << bad.text;
    EXPECT_EQ(query.error().code, bad.code) << bad.text;
    EXPECT_EQ(query.error().details.at("position"), bad.position)
        << bad.text << ": " << query.error().message;
  }
  EXPECT_EQ(parse_query("memry_gb>=8").error().details.at("nearest"), "memory_gb");
}

TEST(Query, IsBounded) {
  EXPECT_EQ(parse_query(std::string(5000, ' ')).error().code, ErrorCode::too_large);
  std::string many;
  for (int i = 0; i < 33; ++i) many += "units>=1 ";
  EXPECT_EQ(parse_query(many).error().code, ErrorCode::too_large);
  std::string list = "units in 1";
  for (int i = 0; i < 64; ++i) list += ",1";
  EXPECT_FALSE(parse_query(list));
}

TEST(Query, UnknownFactsSatisfyNothing) {
  EXPECT_FALSE(holds(only("cores>=1"), kUnknown));
  EXPECT_FALSE(holds(only("cores!=1"), kUnknown));
  EXPECT_FALSE(holds(only("cores<1"), kUnknown));
  EXPECT_FALSE(holds(only("country!=SG"), std::string_view{}));
  EXPECT_TRUE(holds(only("country!=SG"), std::string_view{"JP"}));
  const std::vector<std::string> images{"sha256:a", "sha256:b"};
  EXPECT_TRUE(holds(only("cached=sha256:a"), images));
  EXPECT_FALSE(holds(only("cached!=sha256:a"), images));
  EXPECT_TRUE(holds(only("cached notin sha256:c"), images));
}

TEST(Query, SlicesRoundDownToWholeOnes) {
  EXPECT_EQ(slice(7000, 1, 2), 3000);
  EXPECT_EQ(slice(7000, 2, 2), 7000);
  EXPECT_EQ(slice(kUnknown, 1, 2), kUnknown);
  EXPECT_EQ(slice(kMostSliced * 1000, 65'535, 65'536), 999'984'741'210'000);
}

TEST(Query, Order) {
  const auto keys = parse_order("rate, -reliability");
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 2u);
  EXPECT_FALSE((*keys)[0].descending);
  EXPECT_TRUE((*keys)[1].descending);
  EXPECT_EQ((*keys)[1].field, Field::reliability);
  EXPECT_EQ(parse_order("rat").error().details.at("nearest"), "rate");
  EXPECT_FALSE(
      parse_order("rate,"
                  "cached"));
}

TEST(Query, NumbersAreSpelledWithoutTrailingZeros) {
  EXPECT_EQ(format_milli(12500), "12.5");
  EXPECT_EQ(format_milli(-125), "-0.125");
  EXPECT_EQ(format_milli(3000), "3");
}

}  // namespace
}  // namespace mizan::market
