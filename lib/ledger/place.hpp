// Place: a block of a chain, up to which everything was seen.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/fields.hpp"

namespace mizan::ledger {

struct Place {
  uint64_t number = 0;
  Hash32 hash;
  uint64_t time = 0;  ///< of the block, in seconds since 1970
  friend bool operator==(const Place&, const Place&) = default;
  MIZAN_FIELDS(number, hash, time)
};

}  // namespace mizan::ledger
