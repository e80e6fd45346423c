// What every journal promises, asked of each kind; then what only the one on disk can show.
// SPDX-License-Identifier: Apache-2.0
#include "journal/journal.hpp"

#include "crypto/hash.hpp"
#include "journal/memory_journal.hpp"
#include "journal/rocksdb_journal.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <atomic>
#include <filesystem>
#include <thread>

namespace mizan::journal {
namespace {

const Hash32 kGenesis = sha256("genesis");

std::vector<ByteView> views(const std::vector<std::string>& texts) {
  std::vector<ByteView> out;
  for (const auto& text : texts) out.push_back(as_bytes(text));
  return out;
}

std::vector<std::string> contents(Journal& journal, uint64_t from) {
  std::vector<std::string> out;
  uint64_t expected = from;
  const auto read = journal.read(from, [&](uint64_t sequence, ByteView record) -> Result<void> {
    EXPECT_EQ(sequence, expected++);
    out.emplace_back(as_text(record));
    return {};
  });
  EXPECT_TRUE(read.has_value()) << read.error().message;
  return out;
}

class AnyJournal : public testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override { reopen(); }
  /// The one in memory has nothing to be opened again from: it goes on.
  void reopen() {
    if (GetParam() == "memory") {
      if (!journal_) journal_ = make_memory_journal(kGenesis);
      return;
    }
    journal_.reset();
    auto opened = open_rocksdb({.path = "/journal",
                                .genesis = kGenesis,
                                .verify_all = true,
                                .env = env_.get(),
                                .memory_bytes = size_t{1} << 20});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    journal_ = std::move(*opened);
  }
  GroupInfo append(const std::vector<std::string>& texts) {
    const auto group = journal_->append_group(views(texts));
    EXPECT_TRUE(group.has_value()) << group.error().message;
    return group.value_or(GroupInfo{});
  }

  std::unique_ptr<rocksdb::Env> env_{rocksdb::NewMemEnv(rocksdb::Env::Default())};
  std::unique_ptr<Journal> journal_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, AnyJournal, testing::Values("memory", "rocksdb"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(AnyJournal, BeginsAtItsGenesis) {
  EXPECT_EQ(journal_->head(), (Head{.sequence = 0, .hash = kGenesis}));
  EXPECT_EQ(journal_->base(), journal_->head());
  EXPECT_TRUE(contents(*journal_, 1).empty());
  reopen();
  EXPECT_EQ(journal_->head(), (Head{.sequence = 0, .hash = kGenesis}));
}

TEST_P(AnyJournal, KeepsGroupsInOrder) {
  const GroupInfo first = append({"a", "", "c"});
  EXPECT_EQ(first.first_sequence, 1u);
  EXPECT_EQ(first.last_sequence, 3u);
  const GroupInfo second = append({"d"});
  EXPECT_EQ(second.first_sequence, 4u);
  EXPECT_EQ(journal_->head(), (Head{.sequence = 4, .hash = second.head}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(contents(*journal_, 1), (std::vector<std::string>{"a", "", "c", "d"}));
    EXPECT_EQ(contents(*journal_, 2), (std::vector<std::string>{"", "c", "d"}));
    EXPECT_EQ(contents(*journal_, 4), (std::vector<std::string>{"d"}));
    EXPECT_TRUE(contents(*journal_, 5).empty());
    reopen();
    EXPECT_EQ(journal_->head().hash, second.head);
  }
  EXPECT_EQ(append({"e"}).first_sequence, 5u);
  EXPECT_EQ(contents(*journal_, 3), (std::vector<std::string>{"c", "d", "e"}));
}

TEST_P(AnyJournal, RefusesWhatItCannotKeepAndGoesOn) {
  EXPECT_EQ(journal_->append_group({}).error().code, ErrorCode::invalid_argument);
  const auto ignore = [](uint64_t, ByteView) -> Result<void> { return {}; };
  EXPECT_EQ(journal_->read(0, ignore).error().code, ErrorCode::not_found);
  EXPECT_EQ(journal_->read(2, ignore).error().code, ErrorCode::invalid_argument);
  append({"a", "b"});
  EXPECT_EQ(journal_->save_snapshot(1, {}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(journal_->save_snapshot(3, {}).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(contents(*journal_, 1), (std::vector<std::string>{"a", "b"}));
}

TEST_P(AnyJournal, AVisitorsErrorEndsTheRead) {
  append({"a", "b"});
  append({"c"});
  uint64_t seen = 0;
  const auto read = journal_->read(1, [&](uint64_t sequence, ByteView) -> Result<void> {
    seen = sequence;
    if (sequence == 2) return fail(ErrorCode::internal, "enough");
    return {};
  });
  EXPECT_EQ(read.error().message, "enough");
  EXPECT_EQ(seen, 2u);
}

TEST_P(AnyJournal, SnapshotsReplaceEachOther) {
  EXPECT_EQ(*journal_->latest_snapshot(), std::nullopt);
  const GroupInfo first = append({"a", "b"});
  append({"c"});
  ASSERT_TRUE(journal_->save_snapshot(2, as_bytes("state 2")).has_value());
  reopen();
  auto snapshot = journal_->latest_snapshot();
  ASSERT_TRUE(snapshot && *snapshot);
  EXPECT_EQ((*snapshot)->at, (Head{.sequence = 2, .hash = first.head}));
  EXPECT_EQ(as_text((*snapshot)->state), "state 2");
  const Bytes large((size_t{3} << 20) + 7, 'x');
  ASSERT_TRUE(journal_->save_snapshot(3, large).has_value());
  EXPECT_EQ(journal_->save_snapshot(2, {}).error().code, ErrorCode::conflict);
  reopen();
  snapshot = journal_->latest_snapshot();
  ASSERT_TRUE(snapshot && *snapshot);
  EXPECT_EQ((*snapshot)->at, journal_->head());
  EXPECT_EQ((*snapshot)->state, large);
}

TEST_P(AnyJournal, PrunesWholeGroupsAndNeverPastTheSnapshot) {
  append({"a", "b"});
  const GroupInfo second = append({"c", "d"});
  append({"e"});
  EXPECT_EQ(journal_->prune(2).error().code, ErrorCode::conflict);
  ASSERT_TRUE(journal_->save_snapshot(4, as_bytes("state")).has_value());
  EXPECT_EQ(journal_->prune(6).error().code, ErrorCode::conflict);
  ASSERT_TRUE(journal_->prune(2).has_value());
  EXPECT_EQ(journal_->base().sequence, 0u) << "the group of 2 begins below it";
  ASSERT_TRUE(journal_->prune(4).has_value());
  EXPECT_EQ(journal_->base().sequence, 2u);
  EXPECT_EQ(contents(*journal_, 3), (std::vector<std::string>{"c", "d", "e"}));
  ASSERT_TRUE(journal_->prune(5).has_value());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(journal_->base(), (Head{.sequence = 4, .hash = second.head}));
    EXPECT_EQ(contents(*journal_, 5), (std::vector<std::string>{"e"}));
    const auto gone = journal_->read(4, [](uint64_t, ByteView) -> Result<void> { return {}; });
    EXPECT_EQ(gone.error().code, ErrorCode::not_found);
    reopen();
  }
  EXPECT_TRUE(journal_->prune(3).has_value()) << "what is pruned already is no error";
  append({"f"});
  ASSERT_TRUE(journal_->save_snapshot(6, as_bytes("later")).has_value());
  ASSERT_TRUE(journal_->prune(7).has_value());
  reopen();
  EXPECT_EQ(journal_->base(), journal_->head());
  EXPECT_EQ(append({"g"}).first_sequence, 7u);
  EXPECT_EQ(contents(*journal_, 7), (std::vector<std::string>{"g"}));
}

TEST_P(AnyJournal, ReadsBesideAppends) {
  append({"a"});
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    while (!stop) {
      uint64_t next = 1;
      const auto read = journal_->read(1, [&](uint64_t sequence, ByteView) -> Result<void> {
        EXPECT_EQ(sequence, next++);
        return {};
      });
      EXPECT_TRUE(read.has_value()) << read.error().message;
    }
  });
  for (int i = 0; i < 200; ++i) append({"b", "c"});
  stop = true;
  reader.join();
}

TEST(Kinds, HashAlike) {
  const std::unique_ptr<rocksdb::Env> env(rocksdb::NewMemEnv(rocksdb::Env::Default()));
  auto disk = open_rocksdb({.path = "/journal", .genesis = kGenesis, .env = env.get()});
  ASSERT_TRUE(disk.has_value());
  const auto memory = make_memory_journal(kGenesis);
  for (const auto& texts : std::vector<std::vector<std::string>>{{"a", "b"}, {""}, {"c"}}) {
    ASSERT_TRUE((*disk)->append_group(views(texts)).has_value());
    ASSERT_TRUE(memory->append_group(views(texts)).has_value());
    EXPECT_EQ((*disk)->head(), memory->head());
  }
}

class OnDisk : public testing::Test {
 protected:
  OnDisk() : folder_(testing::TempDir() + "/journal-" + std::to_string(::getpid())) {
    std::filesystem::remove_all(folder_);
  }
  ~OnDisk() override { std::filesystem::remove_all(folder_); }
  Result<std::unique_ptr<Journal>> open(const Hash32& genesis = kGenesis) {
    return open_rocksdb({.path = folder_, .genesis = genesis});
  }
  std::string folder_;
};

TEST_F(OnDisk, ASecondOpenerIsToldWho) {
  auto first = open();
  ASSERT_TRUE(first.has_value()) << first.error().message;
  const auto second = open();
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
  EXPECT_NE(second.error().message.find("open already"), std::string::npos);
  first->reset();
  EXPECT_TRUE(open().has_value());
}

TEST_F(OnDisk, AnotherGenesisIsAnotherExchange) {
  { ASSERT_TRUE(open().has_value()); }
  const auto other = open(sha256("other"));
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, ErrorCode::conflict);
}

TEST_F(OnDisk, ASnapshotOfAnotherHistoryIsRefused) {
  const auto written = [this](ByteView record) {
    std::filesystem::remove_all(folder_);
    const auto journal = open();
    const std::vector<ByteView> group = {record};
    ASSERT_TRUE(journal && (*journal)->append_group(group));
    ASSERT_TRUE((*journal)->save_snapshot(1, as_bytes("a state")));
  };
  const std::string kept = folder_ + "-other";
  written(as_bytes("one history"));
  std::filesystem::rename(folder_ + "/snapshots", kept);
  written(as_bytes("another"));
  std::filesystem::remove_all(folder_ + "/snapshots");
  std::filesystem::rename(kept, folder_ + "/snapshots");
  const auto mixed = open();
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().code, ErrorCode::corrupted);
  EXPECT_NE(mixed.error().message.find("snapshot does not fit"), std::string::npos)
      << mixed.error().message;
}

TEST_F(OnDisk, AnotherFormatIsAnotherProgramsAndStaysAsItWas) {
  const auto opened = [this](uint32_t format) {
    return open_rocksdb({.path = folder_, .genesis = kGenesis, .format = format});
  };
  const Bytes record = {1, 2, 3};
  const std::vector<ByteView> group = {record};
  {
    const auto journal = opened(7);
    ASSERT_TRUE(journal && (*journal)->append_group(group));
    ASSERT_TRUE((*journal)->save_snapshot(1, record) && (*journal)->append_group(group));
    ASSERT_TRUE((*journal)->prune(2));  // which writes the format anew
  }
  for (const uint32_t format : {6U, 8U}) {
    const auto other = opened(format);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::conflict);
    EXPECT_EQ(other.error().details.at("format"), "7");
    for (const std::string& part :
         {folder_, std::string("is of format 7"), fmt::format("reads format {}", format),
          std::string("nothing was changed"), std::string("the version of the program that made")})
      EXPECT_NE(other.error().message.find(part), std::string::npos) << other.error().message;
  }
  const auto again = opened(7);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ((*again)->head().sequence, 2U);
}

// The key "base" as it was then: without a number.
TEST_F(OnDisk, AJournalFromBeforeFormatsIsRefusedAlike) {
  { ASSERT_TRUE(open()); }
  rocksdb::DB* raw = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open({}, folder_ + "/db", &raw).ok());
  std::string base;
  ASSERT_TRUE(raw->Get({}, "base", &base).ok());
  ASSERT_EQ(base.substr(0, 12), std::string("MIZANJN2\0\0\0\1", 12));
  ASSERT_TRUE(raw->Put({}, "base", "MIZANJN1" + base.substr(12)).ok());
  delete raw;
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::conflict);
  EXPECT_NE(opened.error().message.find("is of format 0"), std::string::npos);
}

TEST_F(OnDisk, AMissingParentFolderIsNamed) {
  folder_ += "/absent/journal";
  const auto opened = open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::io_error);
  EXPECT_NE(opened.error().message.find(folder_), std::string::npos);
}

// Over many flushes: what compaction moves and prune drops.
TEST_F(OnDisk, SurvivesFlushesCompactionsAndPrunes) {
  const std::string text(1000, 'x');
  const std::vector<ByteView> records(64, as_bytes(text));
  const auto reopen = [&] {
    return open_rocksdb({.path = folder_,
                         .genesis = kGenesis,
                         .verify_all = true,
                         .memory_bytes = size_t{256} << 10});
  };
  Head head;
  for (int round = 0; round < 3; ++round) {
    auto journal = reopen();
    ASSERT_TRUE(journal.has_value()) << journal.error().message;
    for (int i = 0; i < 100; ++i) ASSERT_TRUE((*journal)->append_group(records).has_value());
    head = (*journal)->head();
    ASSERT_TRUE((*journal)->save_snapshot(head.sequence - 640, as_bytes("state")).has_value());
    if (round > 0) {
      ASSERT_TRUE((*journal)->prune(head.sequence - 1000).has_value());
    }
    EXPECT_EQ(contents(**journal, (*journal)->base().sequence + 1).size(),
              head.sequence - (*journal)->base().sequence);
  }
  auto journal = reopen();
  ASSERT_TRUE(journal.has_value()) << journal.error().message;
  EXPECT_EQ((*journal)->head(), head);
}

}  // namespace
}  // namespace mizan::journal
