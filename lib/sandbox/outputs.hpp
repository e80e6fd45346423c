// OutputTree: reads files that a hostile job has written, without being led astray.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace mizan::sandbox {

enum class OutputKind { file, folder };

struct OutputEntry {
  std::string path;  ///< absolute as the job sees it, without "." or ".."
  OutputKind kind = OutputKind::file;
  uint64_t bytes = 0;    ///< a file's length when it was listed
  uint32_t mode = 0;     ///< permission bits 0777 only
  int64_t mtime_ms = 0;  ///< since 1970
};

/// Something that was left out, and why, as a sentence.
struct OutputRefusal {
  std::string path;
  std::string why;
};

struct OutputList {
  std::vector<OutputEntry> entries;    ///< folders before what is in them, otherwise by name
  std::vector<OutputRefusal> refused;  ///< at most OutputLimits::refusals_max of them
  uint64_t bytes = 0;                  ///< sum over the files
};

struct OutputLimits {
  uint64_t bytes_max = 10ULL << 30;
  uint64_t entries_max = 100'000;
  uint32_t depth_max = 64;
  uint32_t refusals_max = 1000;
};

/// Holds the job's root open. Nothing outside that root is ever opened: no symbolic link is
/// followed, no mount crossed (openat2 with RESOLVE_BENEATH, NO_SYMLINKS, NO_XDEV), and only
/// regular files are read; links, devices, sockets and fifos are refused, set-id bits dropped, and
/// files with other hard links read like any other. One thread at a time.
class OutputTree {
 public:
  explicit OutputTree(UniqueFd root) : root_(std::move(root)) {}

  /// The files beneath `paths` (absolute, or relative to `cwd`). A path that is not there, or that
  /// is not a file or folder, goes to `refused`; more than the limits is `too_large`.
  Result<OutputList> list(const std::vector<std::string>& paths, const std::string& cwd,
                          const OutputLimits& limits) const;
  /// Opens a regular file for reading; `path` as in OutputEntry. The job may still be writing:
  /// read at most the bytes that were listed.
  Result<UniqueFd> open(const std::string& path) const;

 private:
  UniqueFd root_;
};

}  // namespace mizan::sandbox
