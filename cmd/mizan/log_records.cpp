#include "mizan/log_records.hpp"

#include <utility>

namespace mizan::cli {
namespace {

LogRecord parse(std::string_view line) {
  LogRecord record;
  const size_t first = line.find(' ');
  const size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
  const bool whole = second != line.npos && second + 1 < line.size() &&
                     (line[second + 1] == 'F' || line[second + 1] == 'P') &&
                     (second + 2 == line.size() || line[second + 2] == ' ');
  const std::string_view stream = whole ? line.substr(first + 1, second - first - 1) : "";
  if (stream != "stdout" && stream != "stderr") {
    record.text = line;
    return record;
  }
  record.time = line.substr(0, first);
  record.err = stream == "stderr";
  record.partial = line[second + 1] == 'P';
  record.text = line.size() > second + 3 ? line.substr(second + 3) : "";
  return record;
}

}  // namespace

std::vector<LogRecord> LogRecords::feed(std::string_view bytes) {
  std::vector<LogRecord> records;
  for (size_t end = bytes.find('\n'); end != bytes.npos; end = bytes.find('\n')) {
    pending_ += bytes.substr(0, end);
    offset_ += pending_.size() + 1;
    records.push_back(parse(pending_));
    pending_.clear();
    bytes.remove_prefix(end + 1);
  }
  pending_ += bytes;
  return records;
}

std::vector<LogRecord> LogRecords::finish() {
  if (pending_.empty()) return {};
  offset_ += pending_.size();
  return {parse(std::exchange(pending_, {}))};
}

}  // namespace mizan::cli
