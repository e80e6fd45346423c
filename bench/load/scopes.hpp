// The three scopes of load_bench, and what their command lines say.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mizan::bench {

struct LoadOptions {
  std::string scope = "matching";  ///< matching, core, service, agents or journal
  std::vector<double> rates;       ///< the ladder; empty: the scope's own
  double seconds = 4;              ///< of a rung
  uint64_t asks = 100'000;         ///< live
  uint64_t commands = 200'000;     ///< of a journal
  uint64_t agents = 10'000;
  std::string folder;  ///< of journals and states, on the disk that is measured
  std::string mizan;   ///< the binary that is the exchange; "": this program
  uint64_t snapshot_every = 500'000;
};

/// Orders into a book, one thread, nothing else.
void matching_scope(const LoadOptions& options);
/// Verified commands through the sequencer: journal, core, answer.
void core_scope(const LoadOptions& options);
/// Writes a journal of `commands` commands for the state folder in `folder`.
void journal_scope(const LoadOptions& options);
/// Signed orders over HTTP to a running `mizan exchange`.
void service_scope(const LoadOptions& options);
/// Connected agents and live asks in a running `mizan exchange`, and its memory.
void agents_scope(const LoadOptions& options);

}  // namespace mizan::bench
