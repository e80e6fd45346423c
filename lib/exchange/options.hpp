// The operator's choices beside the rule set: who vouches, who decides, what is stricter.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "policy/verdict.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace mizan::exchange {

/// What PolicyChange.optionsHash is the Keccak-256 of, read.
struct PolicyOptions {
  std::map<std::string, std::string> issuers;  ///< URI -> its key, a JWK as canonical JSON
  std::set<Address> officers;                  ///< beside the operator, who is always one
  uint32_t signers_needed = 1;                 ///< 1 or 2 different ones approve a held deal
  std::map<policy::Outcome, policy::Outcome> stricter;  ///< each to a worse one
  bool development_issuers = false;                     ///< of a demonstration: not to be trusted
};

/// `{"issuers": {uri: jwk}, "officers": [address], "signersNeeded": 1, "stricter": {"NOTIFY":
/// "RED_FLAG"}, "developmentIssuers": false}`; every key may be left out, "" is `{}`. Refused: an
/// unknown key, a mapping to what is not worse, more than 64 issuers or officers, 64 KiB, or fewer
/// deciders (the operator counts) than signers needed.
Result<PolicyOptions> read_policy_options(std::string_view text);

/// The outcome after the operator's strictness: never milder than it was, and never milder than
/// what a milder outcome is made.
policy::Outcome stricter(const std::map<policy::Outcome, policy::Outcome>& map,
                         policy::Outcome outcome);

}  // namespace mizan::exchange
