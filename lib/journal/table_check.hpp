// A look at RocksDB's table files before RocksDB looks.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/storage.hpp"

namespace mizan::journal {

/// RocksDB 7.8 reads a table's properties before it checks their checksum, and the build that
/// Debian ships asserts what it has read: of all flipped bits, the top one of that block's last
/// number stops the process, without a word about where. This finds that bit first. Everything
/// else is left to RocksDB's own checks; a file of another shape is passed over.
///
/// corrupted with details.place for a table in `folder` that has it.
Result<void> check_tables(rocksdb::Env& env, const std::string& folder);

}  // namespace mizan::journal
