#include "base/utf8.hpp"

#include <gtest/gtest.h>

namespace mizan {
namespace {

TEST(Utf8, TakesWhatRfc3629Takes) {
  for (const char* good : {"", "plain", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xe2\x82\xac"})
    EXPECT_TRUE(is_utf8(good)) << good;
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
  // A stray byte, overlong forms, a surrogate, above U+10FFFF, cut short.
  for (const char* bad :
       {"\x80", "\xff", "caf\xe9 x", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
}

TEST(Utf8, PrintsEachStrayByteAsAQuestionMark) {
  EXPECT_EQ(printable_utf8("a\xff\xe2\x82\xac\xe2\x82"), "a?\xe2\x82\xac??");
  EXPECT_EQ(printable_utf8(""), "");
}

}  // namespace
}  // namespace mizan
