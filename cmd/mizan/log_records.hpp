// The job's log as the exchange keeps it: one record a line, "TIME STREAM F|P TEXT".
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mizan::cli {

/// One record: a line of the job's output, or with `partial` a piece of one.
struct LogRecord {
  bool err = false;      ///< standard error
  bool partial = false;  ///< the line goes on in the next record of this stream
  std::string time;      ///< RFC 3339
  std::string text;      ///< without its newline
};

/// Cuts a stream of log bytes into records, whatever pieces it arrives in. A line that is no record
/// is passed on as text: a log is shown, never judged.
class LogRecords {
 public:
  /// `offset` is where in the log the first byte stands.
  explicit LogRecords(uint64_t offset = 0) : offset_(offset) {}

  std::vector<LogRecord> feed(std::string_view bytes);
  /// What is left when the log has ended without a newline.
  std::vector<LogRecord> finish();
  /// Everything below it has come out as whole records: where to ask again after a lost connection.
  uint64_t offset() const { return offset_; }
  /// Everything below it was fed.
  uint64_t seen() const { return offset_ + pending_.size(); }
  /// Forgets the piece of a record that was begun; the stream goes on at offset().
  void rewind() { pending_.clear(); }

 private:
  std::string pending_;
  uint64_t offset_ = 0;
};

}  // namespace mizan::cli
