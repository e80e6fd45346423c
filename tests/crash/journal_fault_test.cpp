// A fault at every write and sync of a small run: the journal stops, and nothing that it has
// acknowledged is lost, whatever the crash that follows takes.
// SPDX-License-Identifier: Apache-2.0
#include "crash/journal_world.hpp"

#include <functional>

namespace mizan::crash {
namespace {

using journal::Journal;

/// What a run was told before it ended.
struct Acknowledged {
  uint64_t groups = 0;
  uint64_t last_sequence = 0;
  uint64_t snapshot_sequence = 0;
  uint64_t pruned_below = 0;
  bool failed = false;
};

constexpr uint64_t kGroups = 6;
constexpr size_t kFactor = 60;  // groups of several sectors, so that a crash can leave holes

std::string state_after(uint64_t sequence) {
  return "the state after " + std::to_string(sequence);
}

/// Two lives of a journal: groups, a snapshot, a prune, a new start, groups and a snapshot again.
/// Ends at the first error of an append or a prune; a snapshot that fails is only not there.
Acknowledged run(rocksdb::Env& env) {
  Acknowledged told;
  const auto appended = [&](Journal& journal, uint64_t n) {
    const auto group = append_numbered(journal, n, kFactor);
    if (!group) return false;
    told.groups = n;
    told.last_sequence = group->last_sequence;
    return true;
  };
  const auto first_life = [&](Journal& journal) {
    for (uint64_t n = 1; n <= 3; ++n)
      if (!appended(journal, n)) return false;
    const uint64_t at = told.last_sequence;
    if (!journal.save_snapshot(at, as_bytes(state_after(at)))) return true;
    told.snapshot_sequence = at;
    if (!journal.prune(at)) return false;
    told.pruned_below = at;
    return appended(journal, 4);
  };
  const auto second_life = [&](Journal& journal) {
    if (!appended(journal, told.groups + 1)) return false;
    const uint64_t at = told.last_sequence;
    if (journal.save_snapshot(at, as_bytes(state_after(at)))) told.snapshot_sequence = at;
    while (told.groups < kGroups)
      if (!appended(journal, told.groups + 1)) return false;
    return true;
  };
  for (const std::function<bool(Journal&)>& life : {std::function(first_life), {second_life}}) {
    auto journal = open_journal(env);
    if (!journal) {
      told.failed = true;
      return told;
    }
    if (!life(**journal)) {
      // Whatever was the matter, it is not tried again.
      EXPECT_EQ(append_numbered(**journal, 99).error().code, ErrorCode::io_error);
      EXPECT_EQ((*journal)->prune(1).error().code, ErrorCode::io_error);
      EXPECT_EQ((*journal)->save_snapshot(1, {}).error().code, ErrorCode::io_error);
      EXPECT_EQ((*journal)->latest_snapshot().error().code, ErrorCode::io_error);
      EXPECT_EQ(content_of(**journal).error().code, ErrorCode::io_error);
      EXPECT_EQ((*journal)->head().sequence, told.last_sequence);
      told.failed = true;
      return told;
    }
  }
  return told;
}

/// Acknowledged implies present, in order and as whole groups, of which one more may be there.
void check(const FaultDisk::Image& image, const Acknowledged& told, const std::string& when) {
  const auto found = recover(image);
  ASSERT_TRUE(found.has_value()) << when << ": " << found.error().message;
  std::vector<Bytes> expected;
  std::vector<uint64_t> ends{0};
  for (uint64_t n = 1; n <= kGroups; ++n) {
    for (auto& record : group_records(n, kFactor)) expected.push_back(std::move(record));
    ends.push_back(expected.size());
  }
  const uint64_t last = found->head.sequence;
  const uint64_t one_more = told.groups < kGroups ? ends[told.groups + 1] : told.last_sequence;
  EXPECT_TRUE(last == told.last_sequence || last == one_more) << when << ": ends at " << last;
  const auto base = static_cast<ptrdiff_t>(found->base.sequence);
  EXPECT_EQ(found->records,
            std::vector(expected.begin() + base, expected.begin() + static_cast<ptrdiff_t>(last)))
      << when;
  EXPECT_GE(found->snapshot_at.value_or(journal::Head{}).sequence, told.snapshot_sequence) << when;
  if (found->snapshot_at) {
    EXPECT_EQ(as_text(found->snapshot), state_after(found->snapshot_at->sequence)) << when;
  }
}

uint64_t operations_of_a_run() {
  const auto disk = std::make_shared<FaultDisk>();
  const auto env = make_fault_env(disk);
  const Acknowledged told = run(*env);
  EXPECT_FALSE(told.failed);
  EXPECT_EQ(told.groups, kGroups);
  EXPECT_GT(told.pruned_below, 0u);
  return disk->operations();
}

TEST(JournalFault, PowerLostAtEveryWriteAndSync) {
  const uint64_t seed = test_seed();
  const uint64_t operations = operations_of_a_run();
  std::printf("%llu writes, syncs and changes of names\n",
              static_cast<unsigned long long>(operations));
  for (uint64_t at = 0; at <= operations; ++at) {
    const auto disk = std::make_shared<FaultDisk>();
    const auto env = make_fault_env(disk);
    disk->set_faults({.fail_at = {}, .stop_at = at, .bytes_max = {}});
    const Acknowledged told = run(*env);
    for (const Loss loss :
         {Loss::nothing, Loss::all, Loss::torn, Loss::torn, Loss::reordered, Loss::reordered}) {
      const uint64_t choice = seed + at * 100 + static_cast<uint64_t>(loss);
      check(disk->after_crash(loss, choice), told,
            "operation " + std::to_string(at) + ", loss " + std::to_string(static_cast<int>(loss)) +
                ", choice " + std::to_string(choice));
    }
  }
}

// One write or sync fails, and the next ones would succeed: the case in which trying again loses
// what the failed sync has dropped.
TEST(JournalFault, OneFailureAtEveryWriteAndSync) {
  const uint64_t operations = operations_of_a_run();
  uint64_t stopped = 0;
  for (uint64_t at = 0; at < operations; ++at) {
    const auto disk = std::make_shared<FaultDisk>();
    const auto env = make_fault_env(disk);
    disk->set_faults({.fail_at = at, .stop_at = {}, .bytes_max = {}});
    const Acknowledged told = run(*env);
    if (told.failed) ++stopped;
    for (const Loss loss : {Loss::nothing, Loss::all})
      check(disk->after_crash(loss, 0), told, "failure of operation " + std::to_string(at));
  }
  std::printf("%llu of %llu failures stopped the journal\n",
              static_cast<unsigned long long>(stopped),
              static_cast<unsigned long long>(operations));
  EXPECT_GT(stopped, operations / 2);
}

TEST(JournalFault, ADiskThatFillsUp) {
  uint64_t needed = 0;
  {
    const auto disk = std::make_shared<FaultDisk>();
    const auto env = make_fault_env(disk);
    run(*env);
    for (const auto& [path, bytes] : disk->live()) needed += bytes.size();
  }
  uint64_t stopped = 0;
  for (uint64_t bytes_max = 0; bytes_max < needed + 2000; bytes_max += 61) {
    const auto disk = std::make_shared<FaultDisk>();
    const auto env = make_fault_env(disk);
    disk->set_faults({.fail_at = {}, .stop_at = {}, .bytes_max = bytes_max});
    const Acknowledged told = run(*env);
    if (told.failed) ++stopped;
    // Started again on the full disk: it works with what room there is, or says what it lacks.
    const auto again = open_journal(*env);
    if (!again) {
      EXPECT_EQ(again.error().code, ErrorCode::io_error) << again.error().message;
      EXPECT_EQ(again.error().details.count("errno"), 1u) << again.error().message;
    }
    // With room made, nothing is lost.
    for (const Loss loss : {Loss::nothing, Loss::all})
      check(disk->after_crash(loss, 0), told, "full at " + std::to_string(bytes_max));
  }
  EXPECT_GT(stopped, 10u);
}

}  // namespace
}  // namespace mizan::crash
