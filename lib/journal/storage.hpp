// What the journal asks of RocksDB's Env: whole small files, and errors as values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.hpp"

#include <rocksdb/env.h>

#include <string>

namespace mizan::journal {

/// io_error with the system's own words; details.errno is "ENOSPC" where the disk is full.
/// `doing` completes "cannot ...", e.g. "append to the journal".
Error storage_error(const rocksdb::Status& status, std::string_view doing);

/// Writes `parts` one after another as the file `name` in `folder`, by way of a synced temporary
/// file and a synced rename: afterwards the file is there whole, or as it was before.
Result<void> replace_file(rocksdb::Env& env, const std::string& folder, const std::string& name,
                          std::span<const ByteView> parts);

/// The whole file. too_large over `bytes_max`; not_found if there is none.
Result<Bytes> read_file(rocksdb::Env& env, const std::string& path, uint64_t bytes_max);

/// The suffix of a file that is not whole yet.
inline constexpr std::string_view kTemporary = ".tmp";

}  // namespace mizan::journal
