// The seal: the head of the last acknowledged group, in two small files of its own.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/storage.hpp"

#include <array>
#include <memory>

namespace mizan::journal {

/// RocksDB alone cannot tell a torn tail from damage to acknowledged groups: a flipped length in
/// its log looks like the log's end. The seal can: what it names was acknowledged and must be
/// there.
///
/// The files HEAD-0 and HEAD-1 are written in turn, in place, each synced before its group is
/// acknowledged; a crash can tear only the one in work, and the other is then one group behind.
class Seal {
 public:
  /// Files in `folder`; `env` outlives the Seal.
  Seal(rocksdb::Env& env, std::string folder);

  /// The youngest whole file's head; nothing if neither file exists; corrupted if none is whole.
  Result<std::optional<Head>> load() const;

  /// Makes both files anew, saying `head`, and readies them for `write`.
  Result<void> create(const Head& head);

  /// Seals `head`; durable when it returns.
  Result<void> write(const Head& head);

 private:
  std::string path(size_t i) const;

  rocksdb::Env& env_;
  std::string folder_;
  std::array<std::unique_ptr<rocksdb::RandomRWFile>, 2> files_;
  size_t next_ = 0;
};

}  // namespace mizan::journal
