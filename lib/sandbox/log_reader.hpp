// LogReader: reads conmon's log (k8s-file) from an offset, no line lost and none doubled.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "sandbox/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mizan::sandbox {

enum class LogStream { out, err };

/// Consecutive output of one stream, exactly the bytes that the job wrote.
struct LogChunk {
  LogStream stream = LogStream::out;
  UnixMs time;       ///< of its first line, by the machine's wall clock
  std::string data;  ///< lines end in '\n' where the job wrote one
};

/// conmon writes "TIME STREAM F|P DATA\n" for each line; P marks a piece without its line's end.
/// The reader takes whole records only, so the offset after a read is where the next one (of this
/// process or a later one) goes on. Wait for growth with inotify on `path` (IN_MODIFY).
class LogReader {
 public:
  explicit LogReader(std::filesystem::path path, uint64_t offset = 0)
      : path_(std::move(path)), offset_(offset) {}

  /// What was written since, up to about `bytes_max` bytes of the log's file; empty when there is
  /// nothing new (or no file yet). With `ended` (the job has exited) a last record that the size
  /// limit cut short is given too. A malformed record is `corrupted` and is not passed.
  Result<std::vector<LogChunk>> read(uint64_t bytes_max = 262144, bool ended = false);

  uint64_t offset() const { return offset_; }  ///< bytes of the log's file already given

 private:
  std::filesystem::path path_;
  uint64_t offset_ = 0;
  UniqueFd file_;
};

}  // namespace mizan::sandbox
