// The facts of one case as rules read them, and the evaluation of conditions over them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/item_facts.hpp"

#include <array>

namespace mizan::policy {

/// How facts that are weaker than a condition asks for are taken.
enum class View : uint8_t {
  values,  ///< as their value
  strict,  ///< as unknown
};

/// Evaluates conditions over one case. Refers to the rule set and the case. One thread.
class Facts {
 public:
  Facts(const RuleSet& rules, const Case& subject);

  Truth evaluate(NodeId condition, View view) const;
  /// With every fact weaker than `least` unknown.
  Truth evaluate_at(NodeId condition, Evidence least) const;
  /// The classes that the item may have, as bits (bit 0: none), if facts weaker than `least` are
  /// unknown.
  uint32_t classes(Evidence least) const;
  /// The weakest evidence of any fact of the case.
  Evidence weakest() const { return weakest_; }
  const ItemFacts& item() const { return item_; }
  const Case& subject() const { return subject_; }
  const RuleSet& rules() const { return rules_; }
  /// Where the hardware goes. A lease moves nothing: there, an unknown one does not apply.
  const Fact<Country>& destination() const { return destination_; }
  /// The group's total if it is known, else the deal's.
  const Fact<uint64_t>& units() const;

 private:
  friend class Explainer;
  struct Level {
    bool fixed;  // every node at `least`, whatever it asks for
    Evidence least;
    Evidence of(const Node& node) const { return fixed ? least : node.least; }
  };
  Truth walk(NodeId id, Level level) const;
  Truth leaf(const Node& node, Evidence least) const;
  Truth parties(const Node& node, Evidence least) const;
  Truth party(const Node& node, const Party& subject, Evidence least) const;
  bool in_condition(const Node& node, Country value) const;
  Truth figure(const Node& node, Evidence least) const;

  const RuleSet& rules_;
  const Case& subject_;
  ItemFacts item_;
  Fact<Country> destination_;
  Evidence weakest_ = Evidence::proven;
  mutable std::array<uint32_t, 4> classes_{};  // 0: not yet known
};

}  // namespace mizan::policy
