#include "policy/chip_columns.hpp"
#include "policy/loader.hpp"

#include <algorithm>

namespace mizan::policy {

Result<void> Loader::read_words(const std::string& section, const char* key,
                                std::vector<std::string>& out) {
  for (const Element& element : sections_[section]) {
    ObjectReader in(element.value, element.path);
    std::string word;
    std::string sentence;
    in.required(key, word);
    in.required("sentence", sentence);
    MIZAN_CHECK(read_citation(in));
    MIZAN_CHECK(in.finish());
    if (word.empty() || std::find(out.begin(), out.end(), word) != out.end())
      return bad_field(in.path(key), "is empty or there twice");
    out.push_back(word);
    count("items", false);
  }
  std::sort(out.begin(), out.end());
  return {};
}

Result<void> Loader::read_classes() {
  for (const Element& element : sections_["classes"]) {
    ObjectReader in(element.value, element.path);
    ItemClass item_class;
    std::string sentence;
    bool in_text = true;
    json::value when;
    in.required("class", item_class.name);
    in.required("rank", item_class.rank);
    in.required("in_text", in_text);
    in.required("unverified", item_class.unverified);
    in.required("sentence", sentence);
    in.required("when", when);
    MIZAN_CHECK(read_citation(in));
    MIZAN_TRY(window, read_window(in));
    MIZAN_CHECK(in.finish());
    item_class.from = window.first;
    item_class.until = window.second;
    if (!in_text) return bad_field(in.path("in_text"), "a class is in the text");
    if (item_class.rank < 1 || item_class.rank > 31)
      return bad_field(in.path("rank"), "expected 1 to 31");
    if (item_class.name == "none" || item_class.name == "unknown" || item_class.name.empty())
      return bad_field(in.path("class"), "is a reserved name");
    for (const ItemClass& other : set_.classes_) {
      if (other.rank == item_class.rank) return bad_field(in.path("rank"), "is there twice");
      if (other.name == item_class.name)
        return bad_field(in.path("class"), "\"" + other.name + "\" is there twice");
    }
    Scope scope{Evidence::self_declared};
    scope.of_class = true;
    scope.may_grow = false;
    MIZAN_TRY(condition, read_condition(when, in.path("when"), scope));
    item_class.when = condition;
    set_.classes_.push_back(item_class);
    count("items", item_class.unverified);
  }
  std::sort(set_.classes_.begin(), set_.classes_.end(),
            [](const ItemClass& a, const ItemClass& b) { return a.rank < b.rank; });
  return {};
}

Result<void> Loader::read_chips() {
  for (const Element& element : sections_["chips"]) {
    ObjectReader in(element.value, element.path);
    Chip chip;
    MIZAN_TRY(figures, read_chip_columns(in, Evidence::proven, false, &chip.memory_GB));
    chip.figures = std::move(figures);
    if (!chip.figures.name.is_known()) return bad_field(in.path("chip"), "is missing");
    chip.name = chip.figures.name.value;
    in.required("unverified", chip.unverified);
    MIZAN_CHECK(read_citation(in));
    MIZAN_CHECK(in.finish());
    if (set_.chip(chip.name) != nullptr)
      return bad_field(in.path("chip"), "\"" + chip.name + "\" is there twice");
    const std::vector<std::string> given = given_columns(element.value);
    for (const std::string& column : chip.unverified)
      if (std::find(given.begin(), given.end(), column) == given.end())
        return unknown_word(in.path("unverified"), "a figure of this chip", column, given);
    for (const std::string& column : given) count("chips", chip.is_unverified(column));
    const auto place =
        std::lower_bound(set_.chips_.begin(), set_.chips_.end(), chip.name,
                         [](const Chip& a, const std::string& name) { return a.name < name; });
    set_.chips_.insert(place, std::move(chip));
  }
  return {};
}

bool Chip::is_unverified(std::string_view column) const {
  return std::find(unverified.begin(), unverified.end(), column) != unverified.end();
}

const Chip* RuleSet::chip(std::string_view name) const {
  const auto place =
      std::lower_bound(chips_.begin(), chips_.end(), name,
                       [](const Chip& a, std::string_view wanted) { return a.name < wanted; });
  return place != chips_.end() && place->name == name ? &*place : nullptr;
}

}  // namespace mizan::policy
