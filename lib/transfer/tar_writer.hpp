// TarWriter: a deterministic tar archive, written piece by piece.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "transfer/stream.hpp"

#include <memory>
#include <string>

struct archive;

namespace mizan::transfer {

/// Bounds of an archive and of what comes out of it.
struct ArchiveLimits {
  uint64_t bytes_max = 10ULL << 30;  ///< sum over the files' contents
  uint64_t entries_max = 100'000;
  size_t depth_max = 64;
};
inline constexpr size_t kEntryNameMax = 1'000;

/// What an archive holds.
struct ArchiveSummary {
  uint64_t entries = 0;
  uint64_t bytes = 0;  ///< sum over the files' contents
};

/// A name that an archive may hold: relative, no "." or ".." part, no control character, each part
/// at most 255 bytes, at most kEntryNameMax in all.
Result<void> check_entry_name(std::string_view name, size_t depth_max = 64);
/// A symbolic link that cannot lead out of the tree: relative, with ".." only at its front and no
/// more often than `name` has folders above it.
Result<void> check_link(std::string_view name, std::string_view target);

/// Writes entries in the order in which they are added; the same calls give the same bytes. Owner
/// is 0:0, modes are 0755 or 0644. GNU's format, whose long names are plain bytes in any locale.
class TarWriter {
 public:
  TarWriter(ByteSink sink, const ArchiveLimits& limits);
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;
  ~TarWriter();

  Result<void> add_folder(const std::string& name, int64_t mtime_seconds);
  Result<void> add_link(const std::string& name, const std::string& target, int64_t mtime_seconds);
  /// Reads `bytes` bytes of `fd` from its position; conflict if it has fewer.
  Result<void> add_file(const std::string& name, int fd, uint64_t bytes, bool executable,
                        int64_t mtime_seconds);
  /// Writes the archive's end. Nothing may be added after it.
  Result<ArchiveSummary> finish();

 private:
  struct State;
  Result<void> start_entry(const std::string& name, unsigned type, unsigned mode, uint64_t bytes,
                           const std::string& target, int64_t mtime_seconds);
  Result<void> check_archive(int64_t code);

  std::unique_ptr<State> state_;
};

}  // namespace mizan::transfer
