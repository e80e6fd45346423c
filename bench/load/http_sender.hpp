// Sends requests that are ready as bytes, each at its intended time, over connections kept alive.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "load/ladder.hpp"

#include <string>
#include <vector>

namespace mizan::bench {

struct SenderResult {
  Time::time_point last_answer{};
  size_t refused = 0;  ///< answers that are not 2xx
  double cpu_us = 0;   ///< of the sender, a request
};

/// One thread and epoll: what it costs must not be what the exchange lacks. A request that is due
/// while every connection waits for an answer goes out on the next that is free.
class HttpSender {
 public:
  /// Connects from 127.0.0.2 to 127.0.0.17 in turn. Ends the program if it cannot.
  HttpSender(uint16_t port, size_t connections);
  ~HttpSender();
  HttpSender(const HttpSender&) = delete;
  HttpSender& operator=(const HttpSender&) = delete;

  SenderResult send(const std::vector<std::string>& requests, OpenLoop& loop);

 private:
  struct Connection {
    int fd = -1;
    size_t request = 0;
    std::string answer;
  };
  /// True if the whole answer is there; `ok` says whether it is 2xx.
  static bool is_whole(const std::string& answer, bool& ok);

  int epoll_ = -1;
  std::vector<Connection> connections_;
};

}  // namespace mizan::bench
