#include "mizan/log_records.hpp"

#include <gtest/gtest.h>

#include <random>

namespace mizan::cli {
namespace {

constexpr std::string_view kLog =
    "2026-11-22T11:41:08.123456789+00:00 stdout F first line\n"
    "2026-11-22T11:41:08.2+00:00 stderr F \n"
    "2026-11-22T11:41:08.3+00:00 stdout P a piece\n"
    "2026-11-22T11:41:08.4+00:00 stdout F  and  the rest \n"
    "2026-11-22T11:41:08.5+00:00 stdout F\n"
    "no record at all\n"
    "2026-11-22T11:41:08.6+00:00 stdin F neither stream\n";

std::string spelled(const std::vector<LogRecord>& records) {
  std::string out;
  for (const LogRecord& record : records)
    out +=
        std::string(record.err ? "err" : "out") + (record.partial ? "+" : "|") + record.text + "|";
  return out;
}

TEST(LogRecords, cuts_records_and_passes_other_lines_on) {
  LogRecords records;
  EXPECT_EQ(spelled(records.feed(kLog)),
            "out|first line|err||out+a piece|out| and  the rest |out||out|no record at all|"
            "out|2026-11-22T11:41:08.6+00:00 stdin F neither stream|");
  EXPECT_EQ(records.offset(), kLog.size());
  EXPECT_TRUE(records.finish().empty());
}

TEST(LogRecords, any_pieces_give_the_same_records) {
  LogRecords whole;
  const std::string wanted = spelled(whole.feed(kLog));
  for (size_t cut = 0; cut <= kLog.size(); ++cut) {
    LogRecords records;
    std::string got = spelled(records.feed(kLog.substr(0, cut)));
    EXPECT_LE(records.offset(), cut);
    EXPECT_EQ(records.seen(), cut);
    got += spelled(records.feed(kLog.substr(cut)));
    EXPECT_EQ(got, wanted) << "cut at " << cut;
  }
}

TEST(LogRecords, goes_on_at_its_offset_after_a_lost_connection) {
  for (size_t cut = 0; cut <= kLog.size(); ++cut) {
    LogRecords records;
    std::string got = spelled(records.feed(kLog.substr(0, cut)));
    records.rewind();
    got += spelled(records.feed(kLog.substr(records.offset())));
    LogRecords whole;
    EXPECT_EQ(got, spelled(whole.feed(kLog))) << "lost at " << cut;
  }
}

TEST(LogRecords, a_last_line_without_its_end_comes_at_the_finish) {
  LogRecords records;
  EXPECT_TRUE(records.feed("2026-11-22T11:41:08Z stdout P cut sho").empty());
  EXPECT_EQ(spelled(records.finish()), "out+cut sho|");
}

}  // namespace
}  // namespace mizan::cli
