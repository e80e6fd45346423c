// A small journal on a FaultDisk, and what is in it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crash/fault_env.hpp"
#include "crypto/hash.hpp"
#include "journal/rocksdb_journal.hpp"
#include "support/number.hpp"

#include <gtest/gtest.h>


namespace mizan::crash {

inline constexpr std::string_view kFolder = "/journal";

inline Result<std::unique_ptr<journal::Journal>> open_journal(rocksdb::Env& env,
                                                              bool verify_all = false) {
  return journal::open_rocksdb({.path = std::string(kFolder),
                                .genesis = sha256("genesis"),
                                .verify_all = verify_all,
                                .env = &env,
                                .memory_bytes = size_t{64} << 10});
}

/// The records of group `n` (from 1): their number and sizes differ from group to group.
/// `factor` makes them large.
inline std::vector<Bytes> group_records(uint64_t n, size_t factor = 1) {
  std::vector<Bytes> records;
  for (uint64_t i = 0; i < 1 + n % 3; ++i)
    records.emplace_back((5 + (n * 7 + i * 3) % 20) * factor,
                         static_cast<uint8_t>('a' + (n + i) % 26));
  return records;
}

inline Result<journal::GroupInfo> append_numbered(journal::Journal& journal, uint64_t n,
                                                  size_t factor = 1) {
  const auto records = group_records(n, factor);
  const std::vector<ByteView> views(records.begin(), records.end());
  return journal.append_group(views);
}

/// All that can be seen of a journal.
struct Content {
  journal::Head base;
  journal::Head head;
  std::vector<Bytes> records;
  std::optional<journal::Head> snapshot_at;
  Bytes snapshot;
  friend bool operator==(const Content&, const Content&) = default;
};

inline Result<Content> content_of(journal::Journal& journal) {
  Content content{.base = journal.base(),
                  .head = journal.head(),
                  .records = {},
                  .snapshot_at = std::nullopt,
                  .snapshot = {}};
  MIZAN_CHECK(
      journal.read(content.base.sequence + 1, [&](uint64_t, ByteView record) -> Result<void> {
        content.records.emplace_back(record.begin(), record.end());
        return {};
      }));
  MIZAN_TRY(snapshot, journal.latest_snapshot());
  if (snapshot) {
    content.snapshot_at = snapshot->at;
    content.snapshot = snapshot->state;
  }
  return content;
}

/// Opens what is in `image` as a new start of the machine would.
inline Result<Content> recover(const FaultDisk::Image& image) {
  const auto env = make_fault_env(std::make_shared<FaultDisk>(image));
  MIZAN_TRY(journal, open_journal(*env));
  return content_of(*journal);
}

/// A random test's seed: MIZAN_SEED, or one that is printed so that it can be given again.
inline uint64_t test_seed() {
  const auto given = test::given_number("MIZAN_SEED");
  const uint64_t seed = given ? *given : std::random_device{}();
  std::printf("MIZAN_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace mizan::crash
