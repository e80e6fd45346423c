// Every bit of a small journal flipped, every file cut at every byte: acknowledged records are
// there, or the journal is refused with the place named; they are never silently gone.
// SPDX-License-Identifier: Apache-2.0
#include "crash/journal_world.hpp"

#include <atomic>
#include <functional>
#include <thread>

namespace mizan::crash {
namespace {

using journal::Journal;

/// A journal of five groups: the first pruned, the second in a table file and a snapshot, three in
/// the log.
struct Sample {
  FaultDisk::Image image;
  Content content;               ///< of the five groups
  Content without_last;          ///< of four
  std::set<std::string> opened;  ///< files of which opening and reading has read anything
};

Sample make_sample(bool last_is_acknowledged) {
  Sample sample;
  const auto disk = std::make_shared<FaultDisk>();
  const auto env = make_fault_env(disk);
  {
    auto journal = open_journal(*env);
    EXPECT_TRUE(journal.has_value()) << journal.error().message;
    const auto first = append_numbered(**journal, 1);
    const auto second = append_numbered(**journal, 2);
    EXPECT_TRUE(first && second);
    EXPECT_TRUE((*journal)->save_snapshot(second->last_sequence, as_bytes("a state")).has_value());
    EXPECT_TRUE((*journal)->prune(second->first_sequence).has_value());
    EXPECT_EQ((*journal)->base().sequence, first->last_sequence);
  }
  {
    auto journal = open_journal(*env);
    EXPECT_TRUE(journal.has_value()) << journal.error().message;
    for (const uint64_t n : {3u, 4u}) EXPECT_TRUE(append_numbered(**journal, n).has_value());
    sample.without_last = content_of(**journal).value();
    const FaultDisk::Image before = disk->live();
    EXPECT_TRUE(append_numbered(**journal, 5).has_value());
    sample.content = content_of(**journal).value();
    sample.image = disk->live();
    if (!last_is_acknowledged)
      for (const auto* seal : {"/journal/HEAD-0", "/journal/HEAD-1"})
        sample.image[seal] = before.at(seal);
  }
  const auto fresh = std::make_shared<FaultDisk>(sample.image);
  const auto fresh_env = make_fault_env(fresh);
  auto journal = open_journal(*fresh_env);
  EXPECT_TRUE(journal.has_value()) << journal.error().message;
  EXPECT_EQ(content_of(**journal).value(), sample.content);
  sample.opened = fresh->files_read();
  return sample;
}

enum class Outcome { equal, cut, refused, wrong };

Outcome outcome_of(const Sample& sample, const FaultDisk::Image& image, std::string* said) {
  const auto found = recover(image);
  if (!found) {
    *said = found.error().message;
    const auto place = found.error().details.find("place");
    const bool named = place != found.error().details.end() && !place->second.empty();
    return found.error().code == ErrorCode::corrupted && named ? Outcome::refused : Outcome::wrong;
  }
  if (*found == sample.content) return Outcome::equal;
  if (*found == sample.without_last) return Outcome::cut;
  *said = "opened with other content";
  return Outcome::wrong;
}

struct Damage {
  std::string path;
  size_t at = 0;  ///< a bit's number, or the size to cut to
  bool cut = false;
};

FaultDisk::Image damaged(const FaultDisk::Image& image, const Damage& damage) {
  FaultDisk::Image out = image;
  Bytes& bytes = out.at(damage.path);
  if (damage.cut)
    bytes.resize(damage.at);
  else
    bytes[damage.at / 8] = static_cast<uint8_t>(bytes[damage.at / 8] ^ (1u << damage.at % 8));
  return out;
}

/// Counts by file and outcome; two at a time, for so many cores has the smallest machine.
std::map<std::string, std::array<size_t, 3>> try_all(
    const Sample& sample, const std::vector<Damage>& damages,
    const std::function<bool(const Damage&, Outcome)>& allowed) {
  std::map<std::string, std::array<size_t, 3>> counts;
  std::mutex mutex;
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < damages.size(); i = next++) {
      const Damage& damage = damages[i];
      std::string said;
      const Outcome outcome = outcome_of(sample, damaged(sample.image, damage), &said);
      const std::lock_guard lock(mutex);
      const bool good = outcome != Outcome::wrong && allowed(damage, outcome);
      EXPECT_TRUE(good) << damage.path << (damage.cut ? " cut to byte " : " bit ") << damage.at
                        << ": outcome " << static_cast<int>(outcome) << ": " << said;
      if (good) ++counts[damage.path][static_cast<size_t>(outcome)];
    }
  };
  std::thread other(work);
  work();
  other.join();
  for (const auto& [path, count] : counts)
    std::printf("%-34s equal %6zu  cut %6zu  refused %6zu\n", path.c_str(), count[0], count[1],
                count[2]);
  return counts;
}

std::string log_of(const Sample& sample) {
  for (const auto& [path, bytes] : sample.image)
    if (path.ends_with(".log") && !bytes.empty()) return path;
  return "";
}

TEST(JournalDamage, EveryBitFlipped) {
  const Sample sample = make_sample(true);
  std::mt19937_64 random(test_seed());
  std::vector<Damage> damages;
  for (const auto& [path, bytes] : sample.image)
    for (size_t byte = 0; byte < bytes.size(); ++byte) {
      // Nobody reads RocksDB's record of its options, so that no bit of it can matter: a few flips
      // stand for all.
      if (path.find("/OPTIONS-") != std::string::npos) {
        ASSERT_FALSE(sample.opened.contains(path));
        if (random() % 64 == 0) damages.push_back({.path = path, .at = byte * 8 + random() % 8});
        continue;
      }
      for (size_t bit = 0; bit < 8; ++bit) damages.push_back({.path = path, .at = byte * 8 + bit});
    }
  const auto counts = try_all(sample, damages, [](const Damage&, Outcome outcome) {
    return outcome != Outcome::cut;  // all five groups are acknowledged
  });
  EXPECT_GT(counts.at(log_of(sample))[2], 0u);
}

TEST(JournalDamage, EveryFileCutAtEveryByte) {
  const Sample sample = make_sample(true);
  std::vector<Damage> damages;
  for (const auto& [path, bytes] : sample.image)
    if (sample.opened.contains(path))
      for (size_t size = 0; size < bytes.size(); ++size)
        damages.push_back({.path = path, .at = size, .cut = true});
  try_all(sample, damages, [](const Damage&, Outcome outcome) { return outcome != Outcome::cut; });
}

TEST(JournalDamage, EveryFileLost) {
  const Sample sample = make_sample(true);
  for (const auto& [path, bytes] : sample.image) {
    FaultDisk::Image image = sample.image;
    image.erase(path);
    std::string said;
    const Outcome outcome = outcome_of(sample, image, &said);
    EXPECT_TRUE(outcome == Outcome::equal || outcome == Outcome::refused) << path << ": " << said;
  }
}

// The last group was written, but a crash came before it was sealed and acknowledged.
TEST(JournalDamage, AnUnacknowledgedTailIsCutOrKept) {
  const Sample sample = make_sample(false);
  const std::string log = log_of(sample);
  const size_t size = sample.image.at(log).size();
  // The log's last record ends with the group's frame; RocksDB's own framing is before that.
  size_t last = 32 + 8 + 4 + 32;
  for (const auto& record : group_records(5)) last += 4 + record.size();
  std::vector<Damage> damages;
  for (size_t cut = 0; cut < size; ++cut) damages.push_back({.path = log, .at = cut, .cut = true});
  for (size_t bit = 0; bit < size * 8; ++bit) damages.push_back({.path = log, .at = bit});
  try_all(sample, damages, [&](const Damage& damage, Outcome outcome) {
    const size_t byte = damage.cut ? damage.at : damage.at / 8;
    return outcome != Outcome::refused || byte < size - last;
  });
}

TEST(JournalDamage, TheRefusalNamesWhereTheChainBreaksOff) {
  const Sample sample = make_sample(true);
  const std::string log = log_of(sample);
  // In the middle of the log: group 4.
  FaultDisk::Image image =
      damaged(sample.image, {.path = log, .at = sample.image.at(log).size() / 2 * 8});
  const auto found = recover(image);
  ASSERT_FALSE(found.has_value());
  std::printf("%s\n", found.error().message.c_str());
  EXPECT_NE(found.error().details.at("place").find("sequence "), std::string::npos);
  EXPECT_NE(found.error().details.at("place").find(".log"), std::string::npos);
}

}  // namespace
}  // namespace mizan::crash
