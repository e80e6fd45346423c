// What the outbox writes into its journal.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "settlement/outbox.hpp"

#include <variant>

namespace mizan::settlement::record {

/// The first record.
struct Begun {
  uint64_t chain_id = 0;
  Address account;
  MIZAN_FIELDS(chain_id, account)
};
/// The chain's first block, as the node told it first.
struct Genesis {
  Hash32 hash;
  MIZAN_FIELDS(hash)
};
struct Submitted {
  std::string id;
  Call call;
  MIZAN_FIELDS(id, call)
};
/// Written before it is spread; again for each replacement.
struct Signed {
  uint64_t number = 0;
  uint64_t nonce = 0;
  uint64_t gas = 0;
  Attempt attempt;
  MIZAN_FIELDS(number, nonce, gas, attempt)
};
struct Ended {
  uint64_t number = 0;
  SendState state = SendState::done;
  Hash32 transaction;
  uint64_t block = 0;
  std::string reason;
  MIZAN_FIELDS(number, state, transaction, block, reason)
};
struct Forgotten {
  uint64_t number = 0;
  MIZAN_FIELDS(number)
};

/// New kinds go at the end: the index is the tag in the journal.
using Record = std::variant<Begun, Genesis, Submitted, Signed, Ended, Forgotten>;

/// Brings `state` up to date; an error (corrupted) for a record that does not fit it.
Result<void> apply(Outbox::State& state, const Record& record);

}  // namespace mizan::settlement::record
