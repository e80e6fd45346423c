// Why a lease was allowed: its verdict as on the day, and the same bytes made again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/exchange.hpp"
#include "exchange/judge.hpp"

namespace mizan::exchange {

/// Who asks. A party sees its own facts only; of the other's, what the rules made of them.
enum class Viewer : uint8_t { officer, buyer, provider };

/// One line of JSON: `{"lease", "state", "verdict", "hash", "ruleset", "note", "pending",
/// "stricter", "flags", "decisions", "case", "answer", "review"}`, where `answer` is that of
/// `mizan policy check` (policy/schema/answer.json), `case` has each fact as {"value", "evidence"},
/// "n/a" or null, and `review` is null or why it would not pass now. The same lease and rule set
/// give the same bytes. not_found, with the hash, if its rule set is not among `known`.
Result<std::string> explain(const Lease& lease, const RuleSets& known,
                            Viewer viewer = Viewer::officer,
                            policy::Language language = policy::Language::en);

/// A verdict made again from the case that the journal kept.
struct Replayed {
  Bytes bytes;  ///< what the hash covers: rule set, case, judgement
  Hash32 hash;
  std::string outcome;
  bool same = false;  ///< as the lease has it, and as its clearance signs it
};
/// Errors as explain.
Result<Replayed> replay(const Lease& lease, const RuleSets& known);

}  // namespace mizan::exchange
