// Answer: what a handler says, from any thread, to the coroutine that waits. Internal to lib/net.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/stream.hpp"

#include <functional>
#include <mutex>
#include <optional>

namespace mizan::net {

/// An answer that is given once, from any thread, and awaited by one coroutine of the I/O thread.
template <class T>
class Answer {
 public:
  explicit Answer(const std::shared_ptr<asio::io_context>& io)
      : wake_(std::make_shared<Wake>(io)) {}
  void give(T value) {
    {
      const std::lock_guard lock(mutex_);
      if (value_) return;
      value_ = std::move(value);
    }
    wake_->notify();
  }
  asio::awaitable<T> wait() {
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (value_) co_return *std::move(value_);
      }
      co_await wake_->wait();
    }
  }

 private:
  std::mutex mutex_;
  std::optional<T> value_;
  std::shared_ptr<Wake> wake_;
};

/// A function that gives an Answer; when its last copy goes unused, it gives `otherwise`.
template <class T, class MakeOtherwise>
std::function<void(T)> giver(std::shared_ptr<Answer<T>> answer, MakeOtherwise otherwise) {
  struct Guard {
    std::shared_ptr<Answer<T>> answer;
    MakeOtherwise otherwise;
    ~Guard() { answer->give(otherwise()); }
  };
  auto guard = std::shared_ptr<Guard>(new Guard{std::move(answer), otherwise});
  return [guard](T value) { guard->answer->give(std::move(value)); };
}

}  // namespace mizan::net
