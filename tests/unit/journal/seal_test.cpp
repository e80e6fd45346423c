// The seal: two files in turn, of which the younger whole one counts.
// SPDX-License-Identifier: Apache-2.0
#include "journal/seal.hpp"

#include "crypto/hash.hpp"

#include <gtest/gtest.h>

namespace mizan::journal {
namespace {

Head head(uint64_t sequence) {
  return {.sequence = sequence, .hash = sha256(std::to_string(sequence))};
}

class SealTest : public testing::Test {
 protected:
  SealTest() { EXPECT_TRUE(env_->CreateDirIfMissing("/journal").ok()); }
  Result<std::optional<Head>> load() { return Seal(*env_, "/journal").load(); }
  void overwrite(const std::string& name, const std::string& bytes) {
    EXPECT_TRUE(rocksdb::WriteStringToFile(env_.get(), bytes, "/journal/" + name).ok());
  }

  std::unique_ptr<rocksdb::Env> env_{rocksdb::NewMemEnv(rocksdb::Env::Default())};
};

TEST_F(SealTest, NoFilesAreNoSeal) {
  EXPECT_EQ(load().value(), std::nullopt);
}

TEST_F(SealTest, TheYoungerWholeFileCounts) {
  Seal seal(*env_, "/journal");
  ASSERT_TRUE(seal.create(head(3)).has_value());
  EXPECT_EQ(load().value(), head(3));
  for (uint64_t n = 4; n < 8; ++n) {
    ASSERT_TRUE(seal.write(head(n)).has_value());
    EXPECT_EQ(load().value(), head(n));
  }
  // 4 and 6 went into the one file, 5 and 7 into the other: whichever is torn, the other is one
  // group behind at most.
  overwrite("HEAD-1", "torn");
  EXPECT_EQ(load().value(), head(6));
  overwrite("HEAD-0", "");
  const auto none = load();
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::corrupted);
  EXPECT_NE(none.error().details.at("place").find("HEAD-0"), std::string::npos);
}

TEST_F(SealTest, OneLostFileIsNotASealLost) {
  Seal seal(*env_, "/journal");
  ASSERT_TRUE(seal.create(head(3)).has_value());
  ASSERT_TRUE(seal.write(head(4)).has_value());
  ASSERT_TRUE(env_->DeleteFile("/journal/HEAD-0").ok());
  EXPECT_EQ(load().value(), head(3));
}

}  // namespace
}  // namespace mizan::journal
