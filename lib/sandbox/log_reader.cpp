// LogReader: reads conmon's log (k8s-file) from an offset, no line lost and none doubled.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/log_reader.hpp"

#include "sandbox/sys.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <string_view>

namespace mizan::sandbox {

namespace {

/// conmon splits what a job writes into pieces of 8 KiB; anything much longer is no record of it.
constexpr uint64_t kRecordMax = 65536;

std::optional<unsigned> digits(std::string_view text, size_t at, size_t count) {
  unsigned value = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(text[i] - '0');
  }
  return value;
}

/// "2026-11-22T11:40:43.189708711+00:00" to Unix time; conmon writes local time with its offset.
std::optional<UnixMs> parse_time(std::string_view text) {
  auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  auto milli = digits(text, 20, 3);
  auto zone_hour = digits(text, 30, 2), zone_minute = digits(text, 33, 2);
  if (text.size() != 35 || !year || !month || !day || !hour || !minute || !second || !milli ||
      !zone_hour || !zone_minute || *year < 1970 || *month < 1 || *month > 12)
    return std::nullopt;
  // Days since 1970 of a civil date, with years that begin in March.
  int64_t y = *year - (*month <= 2 ? 1 : 0);
  int64_t month_from_march = (*month + 9) % 12;
  int64_t days =
      365 * y + y / 4 - y / 100 + y / 400 + (153 * month_from_march + 2) / 5 + *day - 1 - 719468;
  int64_t seconds = ((days * 24 + *hour) * 60 + *minute) * 60 + *second;
  int64_t zone = (static_cast<int64_t>(*zone_hour) * 60 + *zone_minute) * 60;
  seconds += text[29] == '-' ? zone : -zone;
  return UnixMs{static_cast<uint64_t>(std::max<int64_t>(seconds, 0)) * 1000 + *milli};
}

struct Record {
  LogStream stream = LogStream::out;
  UnixMs time;
  bool whole_line = true;
  std::string_view data;
};

/// "TIME stdout F DATA", without the line's end.
std::optional<Record> parse_record(std::string_view line) {
  size_t space = line.find(' ');
  if (space == line.npos) return std::nullopt;
  auto time = parse_time(line.substr(0, space));
  line.remove_prefix(space + 1);
  Record record;
  if (line.starts_with("stderr "))
    record.stream = LogStream::err;
  else if (!line.starts_with("stdout "))
    return std::nullopt;
  line.remove_prefix(7);
  if (!time || line.size() < 2 || (line[0] != 'F' && line[0] != 'P') || line[1] != ' ')
    return std::nullopt;
  record.time = *time;
  record.whole_line = line[0] == 'F';
  record.data = line.substr(2);
  return record;
}

}  // namespace

Result<std::vector<LogChunk>> LogReader::read(uint64_t bytes_max, bool ended) {
  std::vector<LogChunk> chunks;
  if (!file_) {
    file_.reset(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_)
      return errno == ENOENT ? Result<std::vector<LogChunk>>(std::move(chunks))
                             : fail_errno("open the log " + path_.string(), errno);
  }
  std::string text(std::max(bytes_max, 2 * kRecordMax), '\0');
  ssize_t n;
  do n = ::pread(file_.get(), text.data(), text.size(), static_cast<off_t>(offset_));
  while (n < 0 && errno == EINTR);
  if (n < 0) return fail_errno("read the log " + path_.string(), errno);
  bool at_end = static_cast<size_t>(n) < text.size();
  text.resize(static_cast<size_t>(n));

  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    bool cut = end == text.npos;
    if (cut && !(ended && at_end)) {
      if (text.size() - begin > kRecordMax)
        return fail(Error{ErrorCode::corrupted, "the log " + path_.string() +
                                                    " holds a line that "
                                                    "is too long at byte " +
                                                    std::to_string(offset_)}
                        .with("place", std::to_string(offset_)));
      break;
    }
    if (cut) end = text.size();
    auto record = parse_record(std::string_view(text).substr(begin, end - begin));
    if (!record && !cut)
      return fail(Error{ErrorCode::corrupted, "the log " + path_.string() + " is damaged at byte " +
                                                  std::to_string(offset_)}
                      .with("place", std::to_string(offset_)));
    if (record) {
      if (chunks.empty() || chunks.back().stream != record->stream)
        chunks.push_back({record->stream, record->time, {}});
      chunks.back().data += record->data;
      if (record->whole_line && !cut) chunks.back().data += '\n';
    }
    size_t passed = end - begin + (cut ? 0 : 1);
    offset_ += passed;
    begin += passed;
  }
  return chunks;
}

}  // namespace mizan::sandbox
