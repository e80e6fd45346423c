// Snapshots: one file each, named by the sequence number after which it holds the state.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/storage.hpp"

namespace mizan::journal {

/// The folder of snapshots; written in pieces of 1 MiB, read whole. `env` outlives it.
class SnapshotFolder {
 public:
  SnapshotFolder(rocksdb::Env& env, std::string folder) : env_(env), folder_(std::move(folder)) {}

  /// Makes the folder if there is none.
  Result<void> create();

  /// The youngest snapshot, read and checked; nothing if there is none; corrupted if it fails.
  Result<std::optional<Snapshot>> load() const;

  /// Durable when it returns.
  Result<void> save(const Head& at, ByteView state);

  /// Removes older snapshots and what a crash has left half written. What cannot be removed now is
  /// removed another time: it does no harm.
  void remove_all_but(uint64_t sequence);

 private:
  rocksdb::Env& env_;
  std::string folder_;
};

}  // namespace mizan::journal
