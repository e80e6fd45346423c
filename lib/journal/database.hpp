// The RocksDB database under the journal: its options, its keys, and the walk along the chain.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/frame.hpp"
#include "journal/rocksdb_journal.hpp"
#include "journal/storage.hpp"

#include <rocksdb/db.h>

#include <memory>

namespace mizan::journal {

/// RocksDB's own log, of which the last complaint is kept: it names the damaged file, which
/// RocksDB's status often does not. Thread-safe.
class ComplaintLog;

struct Opening {
  std::string path;  ///< of the database
  rocksdb::Env* env = nullptr;
  size_t memory_bytes = 0;
  bool create = false;
  bool read_only = false;
  /// kTolerateCorruptedTailRecords refuses what is not a plain torn tail; kPointInTimeRecovery
  /// stops in front of it instead, so that one can see how far the log is whole.
  rocksdb::WALRecoveryMode mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
};

/// Synchronous where the journal needs it, and few threads, bounded memory and no surprises
/// otherwise. Owns the RocksDB handle.
class Database {
 public:
  /// corrupted with details.place, or io_error.
  static Result<std::unique_ptr<Database>> open(const Opening& opening);

  /// What the database was made with, and where it begins; nothing if it was made but a crash
  /// came before its first batch.
  struct Origin {
    uint32_t format = 0;  ///< 0: of a journal from before formats were numbered
    Hash32 genesis;
    Head base;
  };
  Result<std::optional<Origin>> origin() const;
  Result<void> write_origin(const Origin& origin);  ///< synced

  /// Synced.
  Result<void> put_group(uint64_t first_sequence, ByteView frame);
  /// Moves the base up and deletes the groups below it; synced.
  Result<void> prune(const Origin& origin);

  /// The place that ends a group at `sequence`, if there is one.
  Result<std::optional<Head>> place_at(const Head& base, uint64_t sequence) const;
  /// The first sequence of the group that holds `sequence`, or of the first group after it; 0 if
  /// there is none.
  Result<uint64_t> group_of(uint64_t sequence) const;

  /// Sees each group; an error ends the walk with it.
  using GroupVisitor = std::function<Result<void>(const Frame&)>;
  /// Follows the chain from `from` to the end, or to the group that ends at or past `until`.
  Result<Head> walk(const Head& from, uint64_t until, const GroupVisitor& visit) const;

 private:
  Database(std::shared_ptr<ComplaintLog> log, std::unique_ptr<rocksdb::DB> db)
      : log_(std::move(log)), db_(std::move(db)) {}
  Error read_error(uint64_t sequence, const rocksdb::Status& status) const;

  std::shared_ptr<ComplaintLog> log_;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace mizan::journal
