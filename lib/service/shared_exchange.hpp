// The core behind a lock: one writer, many readers, neither kept waiting by the other for long.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/exchange.hpp"

#include <mutex>
#include <shared_mutex>

namespace mizan::service {

/// Only the sequencer writes. The turnstile lets a waiting writer in before new readers, which
/// std::shared_mutex alone does not promise.
class SharedExchange {
 public:
  explicit SharedExchange(exchange::Exchange exchange) : exchange_(std::move(exchange)) {}

  /// f(const Exchange&) between two commands. Nothing that f got from it is used after it returns.
  template <class F>
  auto read(F&& f) const {
    std::shared_lock<std::shared_mutex> lock(mutex_, std::defer_lock);
    {
      const std::lock_guard turnstile(turnstile_);
      lock.lock();
    }
    return f(exchange_);
  }
  /// f(Exchange&) alone. The sequencer's thread.
  template <class F>
  auto write(F&& f) {
    const std::lock_guard turnstile(turnstile_);
    const std::lock_guard lock(mutex_);
    return f(exchange_);
  }
  /// Without a lock: on the writer's thread, and for what never changes after the first command
  /// (config()).
  const exchange::Exchange& unlocked() const { return exchange_; }

 private:
  mutable std::mutex turnstile_;
  mutable std::shared_mutex mutex_;
  exchange::Exchange exchange_;
};

}  // namespace mizan::service
