// Reads rule files into a RuleSet. Internal to lib/policy.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json_fields.hpp"
#include "policy/rule_set.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mizan::policy {

inline constexpr std::string_view kFormat = "mizan.policy.1";

/// One element of a section: "us-hardware.json: rules[3]" and its value.
struct Element {
  std::string path;
  json::value value;
};

/// A country group as its file has it, includes resolved.
struct Group {
  struct Member {
    Country country;
    Date from;
    Date until;
    bool unverified = false;
  };
  std::vector<Member> members;
  bool unverified = false;
};

/// One load. Every step reads a section and fills the set; conditions need the sections before.
class Loader {
 public:
  Result<RuleSet> run(const std::map<std::string, std::string>& files);

 private:
  // load.cpp
  Result<void> read_file(const std::string& name, const std::string& text);
  Result<void> read_languages();
  Result<void> seal();
  Result<std::pair<Date, Date>> read_window(ObjectReader& in);
  Result<void> read_citation(ObjectReader& in);
  void count(const std::string& what, bool unverified);
  // load_places.cpp
  Result<void> read_places();
  Result<void> read_jurisdictions();
  Result<void> read_groups();
  Result<Group> read_group(const Element& element, std::vector<std::string>& open);
  Result<Group::Member> read_member(const json::value& value, const std::string& path);
  Result<Country> read_country(const json::value& value, std::string_view path);
  Result<const Group*> find_group(std::string_view name, std::string_view path,
                                  std::vector<std::string>& open);
  Result<uint32_t> place_set(const json::value& value, std::string_view path);
  // load_items.cpp
  Result<void> read_words(const std::string& section, const char* key,
                          std::vector<std::string>& out);
  Result<void> read_classes();
  Result<void> read_chips();
  // load_rules.cpp
  Result<void> read_rules();
  Result<Rule> read_rule(const Element& element);
  Result<void> read_reviews(ObjectReader& in, Rule& rule);
  Result<void> check_windows();
  // load_condition.cpp
  struct Scope {
    Evidence least;         // of the rule
    bool of_class = false;  // a class's condition names figures of the item only
    bool may_grow = true;   // units may stand here: more of them can only make it true
    Evidence* most_asked = nullptr;
  };
  Result<NodeId> read_condition(const json::value& value, const std::string& path, Scope scope);
  Result<NodeId> read_children(const json::value& value, const std::string& path, Op op,
                               Scope scope);
  Result<Node> read_leaf(ObjectReader& in, const std::string& path, const Scope& scope);
  Result<void> read_fact_leaf(ObjectReader& in, std::string_view fact, Node& node,
                              const Scope& scope);
  Result<void> read_party_leaf(ObjectReader& in, Node& node);
  Result<void> read_threshold(ObjectReader& in, Node& node, bool whole);
  NodeId add(Node node);

  std::map<std::string, std::vector<Element>> sections_;
  std::map<std::string, const Element*> group_elements_;
  std::map<std::string, Group, std::less<>> groups_;
  std::vector<std::string> jurisdiction_names_;
  RuleSet set_;
};

/// "path: ..., did you mean X?" for a word that is none of the known ones.
tl::unexpected<Error> unknown_word(std::string_view path, std::string_view what,
                                   std::string_view word, const std::vector<std::string>& known);

}  // namespace mizan::policy
