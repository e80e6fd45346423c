#include "exchange/judge.hpp"

#include "codec/binary.hpp"
#include "crypto/hash.hpp"

namespace mizan::exchange {

const Hash32& rule_set_in_force() {
  static const Hash32 kEmptyRuleSet = keccak256("mizan-rule-set:empty");
  return kEmptyRuleSet;
}

Verdict judge(const Candidate& candidate) {
  Verdict verdict;
  verdict.outcome = "ALLOW";
  verdict.rule_set = rule_set_in_force();
  verdict.note = "the rule set is empty: nothing was assessed";
  Writer facts;
  facts.put(verdict.rule_set);
  facts.put(verdict.outcome);
  facts.put(candidate.ask_id);
  facts.put(candidate.bid_id);
  facts.put(candidate.ask.provider);
  facts.put(candidate.bid.buyer);
  facts.put(candidate.ask.chip);
  facts.put(uint64_t{candidate.bid.nodes} * candidate.bid.units_per_node);
  facts.put(candidate.seconds);
  facts.put(candidate.at.seconds());
  verdict.hash = keccak256(facts.bytes());
  return verdict;
}

bool passes(const Verdict& verdict) {
  return verdict.outcome == "ALLOW" || verdict.outcome == "NOTIFY";
}

}  // namespace mizan::exchange
