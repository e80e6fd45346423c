// The thread that sequences.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "service/service.hpp"

#include <atomic>
#include <functional>
#include <thread>

namespace mizan::service {

/// Steps a service on a thread of its own, asleep while there is nothing to do. Ends with this, or
/// when the journal fails. The service outlives it.
class Driver {
 public:
  explicit Driver(Service& service);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

 private:
  void run();

  Service& service_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

/// Steps the chain desk of a service of kind evm on a thread of its own; of another it does
/// nothing. Ends with this, or when the outbox's journal fails, of which it tells.
class ChainDriver {
 public:
  ChainDriver(Service& service, std::function<void(const Error&)> on_failure);
  ~ChainDriver();
  ChainDriver(const ChainDriver&) = delete;
  ChainDriver& operator=(const ChainDriver&) = delete;

 private:
  void run();

  Service& service_;
  const std::function<void(const Error&)> on_failure_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace mizan::service
