// The program's own parts below its API: journal, sequencer, core, and the thread that steps.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "service/keys.hpp"
#include "service/sequencer.hpp"

#include <atomic>
#include <string>
#include <thread>

namespace mizan::bench {

/// Prints the error and ends the program, if it is one.
template <class T>
T must(Result<T> result) {
  if (!result) {
    fprintf(stderr, "load_bench: %s\n", result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

class Parts {
 public:
  /// Opens the journal in `folder` and replays it.
  Parts(const std::string& folder, const Hash32& exchange_id,
        const service::SequencerOptions& options);
  ~Parts();

  /// Submits and applies them on this thread; every refusal is printed.
  void apply(std::vector<exchange::Command> commands);
  /// From now on a thread steps.
  void run();
  service::Sequencer& sequencer() { return sequencer_; }
  const exchange::Exchange& core() const { return state_.unlocked(); }

 private:
  service::Log log_;
  std::unique_ptr<journal::Journal> journal_;
  service::SharedExchange state_;
  service::TimeKeeper time_;
  service::Sequencer sequencer_;
  SecretKey identity_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace mizan::bench
