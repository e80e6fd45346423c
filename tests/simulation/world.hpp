// A simulated world: an exchange, providers, buyers, an officer, faults; and what came of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "simulation/faults.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mizan::simulation {

struct Options {
  uint64_t seed = 1;
  uint64_t steps = 20'000;  ///< events until the faults end and the world is led to rest
  bool chain = false;       ///< it settles on a chain
  bool talks = false;       ///< tells on standard error what happens
  /// Is given each command of the journal, as it is encoded there.
  std::function<void(ByteView)> on_record = {};
};

struct Report {
  std::vector<std::string> wrong;  ///< empty: all is as it should be
  std::string hash;                ///< of the exchange's last state, in hex
  uint64_t steps = 0;
  uint64_t virtual_ms = 0;
  uint64_t commands = 0;
  uint64_t leases = 0;
  std::array<uint64_t, kFaults> struck{};
  std::map<std::string, uint64_t> endings;  ///< leases by the reason of their end
};

/// Runs one world from its beginning to its rest. The same options give the same report.
Report run_world(const Options& options);

}  // namespace mizan::simulation
