// The rule set: chips, item classes, places and rules, read from data files and hashed as one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "policy/condition.hpp"
#include "policy/verdict.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mizan::policy {

/// The languages of sentences.
enum class Language : uint8_t { en, ar };

/// A chip of the chip table. Figures that no public copy confirmed are named in `unverified`.
struct Chip {
  std::string name;
  ChipFigures figures;
  Fact<Decimal> memory_GB{};            ///< no rule reads it; a measured machine is held against it
  std::vector<std::string> unverified;  ///< column names
  bool is_unverified(std::string_view column) const;
};

/// A class of items, e.g. 3A090.a.1; of several that fit, the one of the lowest rank holds.
struct ItemClass {
  std::string name;
  uint32_t rank = 0;  ///< 1 to 31
  Date from;
  Date until;
  NodeId when = 0;
  bool unverified = false;
};

struct ReviewBranch {
  Review review = Review::none;
  NodeId when = 0;
};

struct Rule {
  std::string id;
  Head head = Head::hardware_export;
  std::string jurisdiction;
  Date from;
  Date until;
  bool in_text = true;
  bool enforced = true;
  bool otherwise = false;  ///< speaks only where no other rule of its head did
  bool unverified = false;
  Evidence least = Evidence::proven;       ///< min_evidence
  Evidence most_asked = Evidence::proven;  ///< the strongest that any part of it asks for
  NodeId when = 0;
  Outcome outcome = Outcome::allow;
  std::vector<ReviewBranch> reviews;  ///< the first that holds
  std::string citation;
  std::string sentence;
  std::string sentence_ar;
};

/// How much of a rule set is unverified.
struct Share {
  uint64_t values = 0;
  uint64_t unverified = 0;
};

/// Immutable once loaded; may be read from any number of threads.
class RuleSet {
 public:
  /// The rule set without rules: it allows everything and says that nothing was judged.
  static RuleSet empty();

  /// Reads the files (name to JSON text; docs/POLICY.md has the format). An error names the file
  /// and the place in it: an unknown or missing key, a country, group, class or fact that does not
  /// exist, windows of one rule that overlap, a missing citation, a rule that more units would make
  /// milder. Neither the files' names nor their order change the rule set.
  static Result<RuleSet> load(const std::map<std::string, std::string>& files);

  bool is_empty() const { return rules_.empty(); }
  /// SHA-256 of canonical().
  const Hash32& hash() const { return hash_; }
  /// "sha256:" and the hash in hex.
  std::string hash_text() const;
  /// The one text of the whole rule set, itself a rule file: what is kept by the hash.
  const std::string& canonical() const { return canonical_; }

  /// By head, id and date.
  const std::vector<Rule>& rules() const { return rules_; }
  const std::vector<ItemClass>& classes() const { return classes_; }  ///< by rank
  const std::vector<Chip>& chips() const { return chips_; }           ///< by name
  const Chip* chip(std::string_view name) const;
  const Conditions& conditions() const { return conditions_; }
  bool country_exists(Country value) const { return countries_.contains(value); }
  /// The whole that a country is part of (HK: CN), or itself.
  Country whole(Country value) const;
  /// The jurisdiction that a country's law belongs to, e.g. "EU"; else its own letters.
  std::string jurisdiction_of(Country value) const;
  bool has_jurisdiction(std::string_view jurisdiction) const;
  const std::vector<std::string>& certifications() const { return certifications_; }
  const std::vector<std::string>& notices() const { return notices_; }
  /// The kinds of licence conditions that some rule reads ("no_hq").
  const std::vector<std::string>& condition_kinds() const { return conditions_.kinds; }
  /// A phrase of the answer: "missing", "covered", "not_covered", "empty".
  std::string_view phrase(std::string_view name, Language language) const;
  /// What of chips, places, items and rules is unverified, by these names.
  const std::map<std::string, Share>& unverified() const { return unverified_; }

 private:
  friend class Loader;
  std::vector<Rule> rules_;
  std::vector<ItemClass> classes_;
  std::vector<Chip> chips_;
  Conditions conditions_;
  CountrySet countries_;
  std::map<Country, Country> wholes_;
  std::map<Country, std::string> jurisdictions_;
  std::vector<std::string> certifications_;
  std::vector<std::string> notices_;
  std::map<std::string, std::string, std::less<>> phrases_ar_;
  std::map<std::string, Share> unverified_;
  std::string canonical_;
  Hash32 hash_;
};

}  // namespace mizan::policy
