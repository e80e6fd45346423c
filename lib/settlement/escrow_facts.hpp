// What a contract says of itself, and whether it is an escrow of Mizan's at all.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "settlement/node.hpp"

namespace mizan::settlement {

struct EscrowFacts {
  Address token;
  uint8_t decimals = 0;  ///< of the token, 6 to 18
  Address fee_to;
  Address guardian;
  Address clearance;                 ///< zero: revoked
  Address next_clearance;            ///< that the guardian proposed; zero: none
  uint64_t next_clearance_from = 0;  ///< when it may be put in force, in seconds
  uint64_t close_delay_s = 0;
  bool paused = false;
};

/// Asks the contract at its latest block. not_found: nothing stands there, or no escrow of Mizan's
/// for that very chain, which its domain separator tells; invalid_argument: its token has no
/// decimals between 6 and 18; unavailable: the node.
Result<EscrowFacts> ask_escrow(Node& node, const Address& contract);

/// The answer of a view with one word.
Result<u128> ask_number(Node& node, const Address& contract, const Bytes& view);
Result<Address> ask_address(Node& node, const Address& contract, const Bytes& view);

}  // namespace mizan::settlement
