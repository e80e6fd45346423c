// The case files of tests/policy: each case is a base, with some facts set, dropped or added.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "policy/number.hpp"
#include "policy/rules_folder.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace mizan::test {

struct FileCase {
  std::string id;
  std::string file;
  json::value facts;  ///< as a case file has them
  json::object expect;
  bool pending = false;
};

inline std::filesystem::path policy_tests() {
  return std::filesystem::path(MIZAN_SOURCE_DIR) / "tests" / "policy";
}

/// JSON with exact decimals: numbers with a point become strings.
inline json::value parse_exact(const std::string& text) {
  JsonLimits limits;
  limits.max_bytes = 64 << 20;
  limits.max_depth = 32;
  auto value = parse_json(policy::quote_decimals(text), limits);
  if (!value) give_up(value.error().message);
  return *value;
}

/// Where "buyer.hq" stands: the first party of that role; "destination" stands in the case.
inline json::object* owner_of(json::object& facts, std::string& key) {
  const size_t dot = key.find('.');
  if (dot == std::string::npos) return &facts;
  for (json::value& party : facts.at("parties").as_array()) {
    if (party.as_object().at("role").as_string() != key.substr(0, dot)) continue;
    key = key.substr(dot + 1);
    return &party.as_object();
  }
  give_up("no party for " + key);
}

inline std::vector<FileCase> read_cases() {
  std::vector<FileCase> cases;
  const json::value bases = parse_exact(read_text(policy_tests() / "bases.json"));
  for (const auto& [file, text] : read_folder(policy_tests() / "cases")) {
    const json::value document = parse_exact(text);
    for (const json::value& entry : document.at("cases").as_array()) {
      const json::object& row = entry.as_object();
      FileCase one;
      one.id = row.at("id").as_string().c_str();
      one.file = file;
      json::object facts = bases.at(row.at("base").as_string()).as_object();
      facts["id"] = one.id;
      if (const json::value* set = row.if_contains("set"))
        for (const auto& member : set->as_object()) {
          std::string key(member.key());
          json::object* owner = owner_of(facts, key);
          (*owner)[key] = member.value();
        }
      if (const json::value* drop = row.if_contains("drop"))
        for (const json::value& name : drop->as_array()) {
          std::string key(name.as_string().c_str());
          json::object* owner = owner_of(facts, key);
          owner->erase(key);
        }
      if (const json::value* add = row.if_contains("add"))
        for (const json::value& party : add->as_array())
          facts["parties"].as_array().push_back(party);
      one.facts = facts;
      one.expect = row.at("expect").as_object();
      one.pending = row.contains("pending");
      cases.push_back(std::move(one));
    }
  }
  return cases;
}

}  // namespace mizan::test
