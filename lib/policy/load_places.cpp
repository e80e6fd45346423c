#include "policy/loader.hpp"

#include <algorithm>

namespace mizan::policy {

Result<void> Loader::read_places() {
  for (const Element& element : sections_["countries"]) {
    MIZAN_TRY(text, from_json<std::string>(element.value, element.path));
    const auto code = country(text);
    if (!code) return bad_field(element.path, "expected two capital letters");
    set_.countries_.insert(*code);
  }
  for (const Element& element : sections_["parts"]) {
    ObjectReader in(element.value, element.path);
    json::value part;
    json::value whole;
    in.required("part", part);
    in.required("of", whole);
    MIZAN_CHECK(read_citation(in));
    MIZAN_CHECK(in.finish());
    MIZAN_TRY(small, read_country(part, in.path("part")));
    MIZAN_TRY(large, read_country(whole, in.path("of")));
    if (!set_.wholes_.emplace(small, large).second)
      return bad_field(in.path("part"), "is part of two countries");
    count("places", false);
  }
  MIZAN_CHECK(read_jurisdictions());
  return read_groups();
}

Result<void> Loader::read_jurisdictions() {
  for (const Element& element : sections_["jurisdictions"]) {
    ObjectReader in(element.value, element.path);
    std::string name;
    std::vector<json::value> members;
    in.required("jurisdiction", name);
    in.required("members", members);
    MIZAN_CHECK(in.finish());
    jurisdiction_names_.push_back(name);
    for (size_t i = 0; i < members.size(); ++i) {
      const std::string path = in.path("members") + "[" + std::to_string(i) + "]";
      MIZAN_TRY(member, read_country(members[i], path));
      if (!set_.jurisdictions_.emplace(member, name).second)
        return bad_field(path, "is in two jurisdictions");
    }
  }
  return {};
}

Result<Country> Loader::read_country(const json::value& value, std::string_view path) {
  MIZAN_TRY(text, from_json<std::string>(value, path));
  const auto code = country(text);
  if (!code || !set_.countries_.contains(*code))
    return bad_field(path, "there is no country \"" + text + "\"; use its two capital letters");
  return *code;
}

Result<void> Loader::read_groups() {
  for (const Element& element : sections_["groups"]) {
    ObjectReader in(element.value, element.path);
    std::string name;
    in.required("group", name);
    if (in.failed()) return in.finish();
    if (!group_elements_.emplace(name, &element).second)
      return bad_field(in.path("group"), "the group \"" + name + "\" is there twice");
  }
  for (const auto& [name, element] : group_elements_) {
    std::vector<std::string> open;
    MIZAN_CHECK(find_group(name, element->path, open));
  }
  return {};
}

Result<const Group*> Loader::find_group(std::string_view name, std::string_view path,
                                        std::vector<std::string>& open) {
  if (const auto it = groups_.find(name); it != groups_.end()) return &it->second;
  const auto it = group_elements_.find(std::string(name));
  if (it == group_elements_.end()) {
    std::vector<std::string> known;
    for (const auto& [group, _] : group_elements_) known.push_back(group);
    return unknown_word(path, "a country group", name, known);
  }
  if (std::find(open.begin(), open.end(), name) != open.end())
    return bad_field(path, "the group \"" + std::string(name) + "\" contains itself");
  open.emplace_back(name);
  MIZAN_TRY(group, read_group(*it->second, open));
  open.pop_back();
  return &groups_.emplace(name, std::move(group)).first->second;
}

Result<Group> Loader::read_group(const Element& element, std::vector<std::string>& open) {
  ObjectReader in(element.value, element.path);
  Group group;
  std::string name;
  std::vector<json::value> members;
  in.required("group", name);
  in.required("unverified", group.unverified);
  in.required("members", members);
  MIZAN_CHECK(read_citation(in));
  MIZAN_CHECK(in.finish());
  for (size_t i = 0; i < members.size(); ++i) {
    const std::string path = in.path("members") + "[" + std::to_string(i) + "]";
    if (members[i].is_string() && members[i].get_string().starts_with('@')) {
      const std::string other(members[i].get_string().subview(1));
      MIZAN_TRY(included, find_group(other, path, open));
      for (const Group::Member& member : included->members) group.members.push_back(member);
      continue;
    }
    MIZAN_TRY(member, read_member(members[i], path));
    for (const Group::Member& before : group.members)
      if (before.country == member.country && before.from <= member.until &&
          member.from <= before.until && members[i].is_object())
        return bad_field(path, "the dates of " + to_string(member.country) + " overlap");
    count("places", member.unverified || group.unverified);
    group.members.push_back(member);
  }
  return group;
}

Result<Group::Member> Loader::read_member(const json::value& value, const std::string& path) {
  Group::Member member{{}, kFirstDay, kLastDay};
  if (!value.is_object()) {
    MIZAN_TRY(code, read_country(value, path));
    member.country = code;
    return member;
  }
  ObjectReader in(value, path);
  json::value code;
  in.required("country", code);
  in.required("unverified", member.unverified);
  MIZAN_TRY(window, read_window(in));
  MIZAN_CHECK(in.finish());
  MIZAN_TRY(known, read_country(code, in.path("country")));
  member.country = known;
  member.from = window.first;
  member.until = window.second;
  return member;
}

// What "in" lists: countries and @groups. A country that is listed lists its parts too.
Result<uint32_t> Loader::place_set(const json::value& value, std::string_view path) {
  MIZAN_TRY(words, from_json<std::vector<json::value>>(value, path));
  if (words.empty()) return bad_field(path, "is empty");
  CountryTest test;
  const auto insert = [&](const Group::Member& member) {
    const auto insert_one = [&](Country code) {
      if (member.from == kFirstDay && member.until == kLastDay)
        test.always.insert(code);
      else
        test.dated.push_back({code, member.from, member.until});
      if (member.unverified) test.unverified.insert(code);
    };
    insert_one(member.country);
    for (const auto& [part, whole] : set_.wholes_)
      if (whole == member.country) insert_one(part);
  };
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string place = std::string(path) + "[" + std::to_string(i) + "]";
    MIZAN_TRY(word, from_json<std::string>(words[i], place));
    if (word.starts_with('@')) {
      std::vector<std::string> open;
      MIZAN_TRY(group, find_group(std::string_view(word).substr(1), place, open));
      for (const Group::Member& member : group->members) insert(member);
      test.list_unverified = test.list_unverified || group->unverified;
    } else {
      MIZAN_TRY(code, read_country(words[i], place));
      insert({code, kFirstDay, kLastDay});
    }
  }
  set_.conditions_.places.push_back(std::move(test));
  return static_cast<uint32_t>(set_.conditions_.places.size() - 1);
}

Country RuleSet::whole(Country value) const {
  const auto it = wholes_.find(value);
  return it == wholes_.end() ? value : it->second;
}

std::string RuleSet::jurisdiction_of(Country value) const {
  const auto it = jurisdictions_.find(value);
  return it == jurisdictions_.end() ? to_string(value) : it->second;
}

bool RuleSet::has_jurisdiction(std::string_view jurisdiction) const {
  return std::any_of(rules_.begin(), rules_.end(),
                     [&](const Rule& rule) { return rule.jurisdiction == jurisdiction; });
}

}  // namespace mizan::policy
