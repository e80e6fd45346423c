#include "mizan/terminal.hpp"

#include "mizan/curve.hpp"
#include "mizan/query_text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace mizan::cli {
namespace {

TEST(Printable, leaves_nothing_that_acts_on_a_terminal) {
  EXPECT_EQ(printable("plain, ünïcode, 日本"), "plain, ünïcode, 日本");
  EXPECT_EQ(printable("\x1b[2J\a\r\n"), "?[2J???");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "??31m");                      // CSI as one C1 character
  EXPECT_EQ(printable("\xff\xc3"), "??");  // broken UTF-8
  EXPECT_EQ(printable(std::string_view("\0x", 2)), "?x");
}

TEST(LogFilter, colours_stay_and_everything_else_goes) {
  LogFilter filter;
  EXPECT_EQ(filter.pass("\x1b[1;31mred\x1b[0m\n"), "\x1b[1;31mred\x1b[0m\n");
  EXPECT_EQ(filter.pass("\x1b[2Jgone\x1b[6n"), "gone");
  // What stands in an operating system command loses its start and can't act.
  EXPECT_EQ(filter.pass("\x1b]0;title\a after"), "0;title after");
  EXPECT_EQ(filter.pass("50%\r60%\ttab\b\x7f"), "50%\r60%\ttab");
}

TEST(LogFilter, sequences_may_be_cut_anywhere) {
  const std::string text = "a\x1b[1;32mb\x1b[0mc\x1b[2Jd";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    LogFilter filter;
    std::string got = filter.pass(text.substr(0, cut));
    got += filter.pass(text.substr(cut));
    EXPECT_EQ(got, "a\x1b[1;32mb\x1b[0mcd") << cut;
  }
}

TEST(Table, is_tab_separated_in_a_pipe) {
  std::FILE* null = std::fopen("/dev/null", "w");
  ASSERT_NE(null, nullptr);
  const Terminal pipe(null, false);
  Table table({{"NAME"}, {"FREE", true}});
  table.add({{"one", Style::bold}, {"2"}});
  table.add({{"evil\x1b[2J\tname"}, {"3"}});
  EXPECT_EQ(table.render(pipe), "NAME\tFREE\none\t2\nevil?[2J?name\t3\n");
  EXPECT_EQ(pipe.paint(Style::red, "x"), "x");
  std::fclose(null);
}

TEST(Bar, fills_by_eighths_and_never_overflows) {
  EXPECT_EQ(bar(0, 10, 4), "    ");
  EXPECT_EQ(bar(10, 10, 4), "████");
  EXPECT_EQ(bar(1, 8, 1), "▏");
  EXPECT_EQ(bar(7, 0, 2), "██");
  for (uint64_t done = 0; done <= 200; ++done) EXPECT_EQ(display_width(bar(done, 97, 13)), 13U);
}

TEST(Curve, keeps_within_its_box) {
  std::vector<std::pair<double, double>> points;
  for (int i = 1; i <= 400; ++i) points.emplace_back(i, 4.3 - i / 200.0);
  for (const size_t width : {20U, 60U, 100U}) {
    const std::string drawn = draw_curve(points, 400, width, 12, "step");
    EXPECT_EQ(std::count(drawn.begin(), drawn.end(), '\n'), 12);
    size_t begin = 0;
    for (size_t end = drawn.find('\n'); end != drawn.npos; end = drawn.find('\n', begin)) {
      EXPECT_LE(display_width(std::string_view(drawn).substr(begin, end - begin)), width);
      begin = end + 1;
    }
  }
  EXPECT_EQ(draw_curve({}, 400, 60, 12, "step"), "");
  EXPECT_NE(draw_curve({{1, 2.0}}, 400, 60, 12, "step"), "");  // flat, one point
}

TEST(QueryText, rates_become_nano_and_keep_their_side) {
  // 0.36 an hour is 100,000 nano a second exactly; 0.05 is 13,888.9.
  EXPECT_EQ(query_in_nano("rate<=0.36 cores>=4").value(), "rate<=100000 cores>=4");
  EXPECT_EQ(query_in_nano("cores>=4 rate < 0.05").value(), "cores>=4 rate < 13889");
  EXPECT_EQ(query_in_nano("rate<=0.05").value(), "rate<=13888");
  EXPECT_EQ(query_in_nano("rate>=0.05 rate>0.05").value(), "rate>=13889 rate>13888");
  EXPECT_EQ(query_in_nano("maker=rate chip=\"x\"").value(), "maker=rate chip=\"x\"");
  EXPECT_EQ(query_in_nano("").value(), "");
  EXPECT_FALSE(query_in_nano("rate<0.00000000001"));
}

}  // namespace
}  // namespace mizan::cli
