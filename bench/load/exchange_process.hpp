// An exchange as a process of its own beside the benchmark.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "load/scopes.hpp"

#include <sys/types.h>

namespace mizan::bench {

/// What `mizan exchange --config FILE` does: this program calls itself with it unless it was given
/// the binary.
int run_as_exchange(const char* config_file);

class ExchangeProcess {
 public:
  /// Starts it over options.folder/load_bench.state, without rules and with limits that are no
  /// limits here, and waits until it is ready. Ends the program if it does not get so far.
  ExchangeProcess(const LoadOptions& options, const Address& operator_address);
  ~ExchangeProcess();
  ExchangeProcess(const ExchangeProcess&) = delete;
  ExchangeProcess& operator=(const ExchangeProcess&) = delete;

  void stop();
  const std::string& state_folder() const { return state_; }
  const Address& operator_address() const { return operator_; }
  uint16_t port() const { return port_; }
  const std::string& url() const { return url_; }
  const Hash32& id() const { return id_; }
  double cpu_seconds() const;
  uint64_t resident_bytes() const;
  uint64_t peak_bytes() const;

 private:
  std::string state_;
  Address operator_;
  pid_t pid_ = 0;
  int out_ = -1;
  std::string url_;
  uint16_t port_ = 0;
  Hash32 id_;
};

}  // namespace mizan::bench
