// A process that appends is killed with SIGKILL, over and over, on the machine's own disk: what it
// has acknowledged is there.
// SPDX-License-Identifier: Apache-2.0
#include "crash/journal_world.hpp"
#include "crash/journal_writer.hpp"

#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mizan::crash {
namespace {

constexpr int kPatienceMs = 60'000;

/// The writer as a child process, and the pipe on which it acknowledges.
class WriterProcess {
 public:
  explicit WriterProcess(std::string folder) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string program = MIZAN_JOURNAL_WRITER;
    const std::array<char*, 3> arguments{program.data(), folder.data(), nullptr};
    EXPECT_EQ(posix_spawn(&child_, program.c_str(), &actions, nullptr, arguments.data(), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    acknowledgements_ = ends[0];
  }
  ~WriterProcess() { close(acknowledgements_); }
  WriterProcess(const WriterProcess&) = delete;
  WriterProcess& operator=(const WriterProcess&) = delete;

  /// The next acknowledged sequence number; nothing at the end, or after `patience_ms`.
  std::optional<uint64_t> next(int patience_ms) const {
    pollfd waiting{.fd = acknowledgements_, .events = POLLIN, .revents = 0};
    uint64_t sequence = 0;
    if (poll(&waiting, 1, patience_ms) != 1) return std::nullopt;
    if (read(acknowledgements_, &sequence, sizeof sequence) != sizeof sequence) return std::nullopt;
    return sequence;
  }
  void kill_now() const {
    ASSERT_EQ(kill(child_, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child_, &status, 0), child_);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << status;
  }

 private:
  pid_t child_ = 0;
  int acknowledgements_ = -1;
};

TEST(JournalKill, WhatWasAcknowledgedIsThere) {
  std::mt19937_64 random(test_seed());
  const std::string folder = testing::TempDir() + "mizan-journal-kill-" + std::to_string(getpid());
  std::filesystem::remove_all(folder);
  uint64_t acknowledged = 0;
  uint64_t unacknowledged_kept = 0;
  constexpr int kRounds = 25;
  for (int round = 0; round < kRounds; ++round) {
    {
      const WriterProcess writer(folder);
      for (uint64_t wanted = random() % 40; wanted > 0; --wanted) {
        const auto sequence = writer.next(kPatienceMs);
        ASSERT_TRUE(sequence.has_value()) << "the writer is silent";
        acknowledged = *sequence;
      }
      // Somewhere within the next group, or in the opening if none was wanted.
      const auto moment = std::chrono::microseconds(random() % 4000);
      const auto until = std::chrono::steady_clock::now() + moment;
      while (std::chrono::steady_clock::now() < until) continue;
      writer.kill_now();
      while (const auto sequence = writer.next(0)) acknowledged = *sequence;
    }
    auto journal = journal::open_rocksdb({.path = folder, .genesis = sha256("genesis")});
    ASSERT_TRUE(journal.has_value()) << "round " << round << ": " << journal.error().message;
    const uint64_t last = (*journal)->head().sequence;
    EXPECT_GE(last, acknowledged) << "round " << round;
    EXPECT_LE(last, acknowledged + writer_group_size(acknowledged + 1)) << "round " << round;
    if (last > acknowledged) ++unacknowledged_kept;
    acknowledged = last;  // it is part of the journal for good
    uint64_t first = (*journal)->base().sequence + 1;
    uint64_t next = first;
    const auto read = (*journal)->read(first, [&](uint64_t sequence, ByteView record) {
      if (sequence == first + writer_group_size(first)) first = sequence;
      EXPECT_EQ(sequence, next++);
      EXPECT_EQ(Bytes(record.begin(), record.end()), writer_record(sequence, first));
      return Result<void>();
    });
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(next, last + 1);
    if (last > 0) {
      EXPECT_EQ(first + writer_group_size(first), last + 1) << "a group is not whole";
    }
    const auto snapshot = (*journal)->latest_snapshot();
    ASSERT_TRUE(snapshot.has_value()) << snapshot.error().message;
    if (*snapshot) {
      EXPECT_EQ(as_text((*snapshot)->state), writer_state((*snapshot)->at.sequence));
    }
  }
  std::printf("%d kills, %llu records, %llu times a group was whole but not yet acknowledged\n",
              kRounds, static_cast<unsigned long long>(acknowledged),
              static_cast<unsigned long long>(unacknowledged_kept));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace mizan::crash
