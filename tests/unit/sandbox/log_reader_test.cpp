// LogReader against every way a log can be cut.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/log_reader.hpp"

#include "support/seed.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

namespace mizan::sandbox {

namespace {

const std::string kTime = "2026-11-22T11:40:43.189708711+00:00";

class LogReaderTest : public ::testing::Test {
 protected:
  void append(const std::string& text) { std::ofstream(path_, std::ios::app) << text; }
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path / "log";
};

std::string all(const std::vector<LogChunk>& chunks) {
  std::string text;
  for (const auto& chunk : chunks)
    text += (chunk.stream == LogStream::err ? "[err]" : "") + chunk.data;
  return text;
}

TEST_F(LogReaderTest, NoFileIsNoOutput) {
  LogReader reader(path_);
  auto chunks = reader.read();
  ASSERT_TRUE(chunks);
  EXPECT_TRUE(chunks->empty());
  append(kTime + " stdout F late\n");
  chunks = reader.read();
  ASSERT_TRUE(chunks);
  EXPECT_EQ(all(*chunks), "late\n");
}

TEST_F(LogReaderTest, JoinsPiecesAndSplitsStreams) {
  append(kTime + " stdout P half \n" + kTime + " stdout F line\n" + kTime + " stderr F oops\n" +
         kTime + " stdout F \n" + kTime + " stdout P end");
  LogReader reader(path_);
  auto chunks = reader.read();
  ASSERT_TRUE(chunks);
  EXPECT_EQ(all(*chunks), "half line\n[err]oops\n\n");
  ASSERT_EQ(chunks->size(), 3U);
  EXPECT_EQ((*chunks)[0].time.ms, 1795347643189U);
  chunks = reader.read(1 << 20, true);
  ASSERT_TRUE(chunks);
  EXPECT_EQ(all(*chunks), "end");
  chunks = reader.read(1 << 20, true);
  ASSERT_TRUE(chunks);
  EXPECT_TRUE(chunks->empty());
}

TEST_F(LogReaderTest, TimeZonesAreSubtracted) {
  append("2026-11-22T13:10:43.189708711+01:30 stdout F x\n");
  LogReader reader(path_);
  auto chunks = reader.read();
  ASSERT_TRUE(chunks);
  EXPECT_EQ((*chunks)[0].time.ms, 1795347643189U);
}

TEST_F(LogReaderTest, DamageIsSaidWithItsPlace) {
  append(kTime + " stdout F good\nthis is no record\n");
  LogReader reader(path_);
  auto chunks = reader.read();
  ASSERT_FALSE(chunks);
  EXPECT_EQ(chunks.error().code, ErrorCode::corrupted);
  EXPECT_EQ(chunks.error().details["place"], std::to_string(kTime.size() + 15));
}

TEST_F(LogReaderTest, ATailThatTheSizeLimitCutIsNotDamage) {
  append(kTime + " stdout F good\n" + kTime.substr(0, 12));
  LogReader reader(path_);
  auto chunks = reader.read(1 << 20, true);
  ASSERT_TRUE(chunks);
  EXPECT_EQ(all(*chunks), "good\n");
}

TEST_F(LogReaderTest, WhateverTheCutsNothingIsLostOrDoubled) {
  const uint64_t seed = test::random_seed();
  SCOPED_TRACE(test::seed_note(seed));
  std::mt19937 random(static_cast<uint32_t>(seed));
  std::string whole, wanted;
  for (int i = 0; i < 2000; ++i) {
    std::string data(random() % 200, 'a');
    for (auto& c : data) c = static_cast<char>(' ' + random() % 90);
    bool full = random() % 3 != 0;
    whole += kTime + " stdout " + (full ? "F " : "P ") + data + "\n";
    wanted += data + (full ? "\n" : "");
  }
  std::string got;
  uint64_t offset = 0;
  for (size_t written = 0; written < whole.size();) {
    size_t n = std::min<size_t>(random() % 3000, whole.size() - written);
    append(whole.substr(written, n));
    written += n;
    LogReader reader(path_, offset);  // as an agent that was started again
    for (int reads = 0; reads < 3; ++reads) {
      auto chunks = reader.read(random() % 1000);
      ASSERT_TRUE(chunks) << chunks.error().message;
      got += all(*chunks);
    }
    offset = reader.offset();
  }
  LogReader reader(path_, offset);
  while (true) {
    auto chunks = reader.read(1000, true);
    ASSERT_TRUE(chunks);
    if (chunks->empty()) break;
    got += all(*chunks);
  }
  EXPECT_EQ(got, wanted);
}

}  // namespace

}  // namespace mizan::sandbox
