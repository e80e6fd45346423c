// Why nothing matched: one line a dimension.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace mizan::market {

/// What one dimension of a bid removed from the live offers, each dimension counted by itself.
struct Reason {
  std::string dimension;  ///< the clause as written ("memory_gb>=512"), or a name of the bid's own:
                          ///< price, units, time, owner, interruption, excluded
  uint64_t removed = 0;   ///< live offers that fail it
  uint64_t alone = 0;     ///< of these, the offers that fail nothing else
  std::string nearest;    ///< the nearest miss, among those that fail it alone if there are any:
                          ///< a value as the query would spell it; "" if there is none to tell
};

}  // namespace mizan::market
