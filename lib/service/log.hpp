// The service's log: one structured line an event, without secrets.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.hpp"

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace mizan::service {

/// Lines of `time=... level=... event=... name=value ...`. Values come from strangers too: they are
/// quoted and escaped, and cut at 200 bytes. Safe from many threads when its sink is.
class Log {
 public:
  using Fields = std::initializer_list<std::pair<std::string_view, std::string>>;
  using Sink = std::function<void(const std::string& line)>;

  /// `sink` gets each line without its newline; null drops them.
  Log(const Clock& clock, Sink sink) : clock_(clock), sink_(std::move(sink)) {}

  void info(std::string_view event, Fields fields = {}) const { write("info", event, fields); }
  void warn(std::string_view event, Fields fields = {}) const { write("warn", event, fields); }
  void error(std::string_view event, Fields fields = {}) const { write("error", event, fields); }

 private:
  void write(std::string_view level, std::string_view event, Fields fields) const;

  const Clock& clock_;
  Sink sink_;
};

/// Each line to standard error in one write.
Log::Sink stderr_sink();

}  // namespace mizan::service
