// The journal on RocksDB: the default, on one machine. docs/JOURNAL.md has the format.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.hpp"

#include <memory>
#include <string>

namespace rocksdb {
class Env;
}

namespace mizan::journal {

struct RocksdbOptions {
  /// The journal's folder; made if it is missing (its parent is not).
  std::string path;
  /// The hash before the first record; an existing journal must have been made with the same.
  Hash32 genesis;
  /// In which shapes the records and snapshots are written, from 1 up; an existing journal must
  /// have been made with the same.
  uint32_t format = 1;
  /// Check every kept group at opening, not only those after the latest snapshot.
  bool verify_all = false;
  /// Where the bytes go; must outlive the journal. nullptr: the machine's file system.
  rocksdb::Env* env = nullptr;
  /// RocksDB holds at most twice this much of what was appended last in memory.
  size_t memory_bytes = size_t{64} << 20;
};

/// Opens or creates. The groups after the latest snapshot are checked against the hash chain, and
/// the end against the seal, before anything is written; so a refused journal is left as it was.
/// What a crash left half written, and nobody was told of, is cut off.
///
/// Errors: unavailable if another process, or this one, has the journal open; corrupted with
/// details.place if acknowledged records or their checks are damaged; conflict if the genesis
/// or the format differs; io_error for what the operating system refuses (details.errno "ENOSPC":
/// disk full).
Result<std::unique_ptr<Journal>> open_rocksdb(const RocksdbOptions& options);

}  // namespace mizan::journal
