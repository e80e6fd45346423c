#include "policy/fact_json.hpp"
#include "policy/loader.hpp"
#include "policy/words.hpp"

#include <algorithm>

namespace mizan::policy {
namespace {

struct FactWord {
  std::string_view word;
  FactId fact;
  Op op;
  bool of_item;  // may stand in the condition of a class
};

constexpr FactWord kFacts[] = {
    {"operation", FactId::operation, Op::operation_in, false},
    {"end_use", FactId::end_use, Op::end_use_in, false},
    {"class", FactId::item_class, Op::class_in, false},
    {"chip", FactId::chip, Op::chip_in, true},
    {"origin", FactId::origin, Op::country_in, false},
    {"location", FactId::location, Op::country_in, false},
    {"destination", FactId::destination, Op::country_in, false},
    {"training", FactId::training, Op::flag_is, false},
    {"datacenter_marketed", FactId::datacenter_marketed, Op::flag_is, true},
    {"hbm_co_packaged", FactId::hbm_co_packaged, Op::flag_is, true},
    {"tpp", FactId::tpp, Op::number, true},
    {"dram_bandwidth", FactId::dram_bandwidth, Op::number, true},
    {"interconnect", FactId::interconnect, Op::number, true},
    {"pd", FactId::pd, Op::ratio, true},
    {"hbm_density", FactId::hbm_density, Op::ratio, true},
    {"units", FactId::units, Op::count, false},
    {"training_work", FactId::training_work, Op::count, false},
    {"certifications", FactId::certifications, Op::list_includes, false},
    {"notices", FactId::notices, Op::list_includes, false},
};

// The mask of the words that `in` lists.
Result<uint32_t> read_mask(const json::value& value, const std::string& path, std::string_view what,
                           std::span<const std::string_view> words) {
  MIZAN_TRY(list, from_json<std::vector<json::value>>(value, path));
  if (list.empty()) return bad_field(path, "is empty");
  uint32_t mask = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    MIZAN_TRY(place, read_word(list[i], path + "[" + std::to_string(i) + "]", what, words));
    mask |= uint32_t{1} << place;
  }
  return mask;
}

}  // namespace

NodeId Loader::add(Node node) {
  set_.conditions_.nodes.push_back(node);
  return static_cast<NodeId>(set_.conditions_.nodes.size() - 1);
}

Result<NodeId> Loader::read_condition(const json::value& value, const std::string& path,
                                      Scope scope) {
  ObjectReader in(value, path);
  if (const json::value* all = in.find("all")) {
    MIZAN_CHECK(in.finish());
    return read_children(*all, in.path("all"), Op::all, scope);
  }
  if (const json::value* any = in.find("any")) {
    MIZAN_CHECK(in.finish());
    return read_children(*any, in.path("any"), Op::any, scope);
  }
  if (const json::value* inner = in.find("not")) {
    MIZAN_CHECK(in.finish());
    scope.may_grow = false;
    json::array one;
    one.push_back(*inner);
    return read_children(one, in.path("not"), Op::negate, scope);
  }
  MIZAN_TRY(leaf, read_leaf(in, path, scope));
  if (scope.most_asked != nullptr) *scope.most_asked = std::max(*scope.most_asked, leaf.least);
  return add(leaf);
}

Result<NodeId> Loader::read_children(const json::value& value, const std::string& path, Op op,
                                     Scope scope) {
  MIZAN_TRY(list, from_json<std::vector<json::value>>(value, path));
  if (list.empty() && op != Op::all) return bad_field(path, "is empty; it would never hold");
  std::vector<NodeId> children;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string place = op == Op::negate ? path : path + "[" + std::to_string(i) + "]";
    MIZAN_TRY(child, read_condition(list[i], place, scope));
    children.push_back(child);
  }
  Node node;
  node.op = op;
  node.first = static_cast<uint32_t>(set_.conditions_.children.size());
  node.size = static_cast<uint32_t>(children.size());
  auto& all = set_.conditions_.children;
  all.insert(all.end(), children.begin(), children.end());
  return add(node);
}

Result<Node> Loader::read_leaf(ObjectReader& in, const std::string& path, const Scope& scope) {
  Node node;
  node.least = scope.least;
  if (const json::value* least = in.find("min_evidence")) {
    MIZAN_TRY(strength, read_evidence(*least, in.path("min_evidence")));
    node.least = strength;
  }
  if (const json::value* date = in.find("date")) {
    std::string day;
    in.required("day", day);
    MIZAN_CHECK(in.finish());
    constexpr std::string_view kWords[] = {"from", "before"};
    MIZAN_TRY(place, read_word(*date, in.path("date"), "a date test", kWords));
    const auto parsed = parse_date(day);
    if (!parsed) return bad_field(in.path("day"), parsed.error().message);
    node.op = place == 0 ? Op::date_from : Op::date_before;
    node.number = parsed->yyyymmdd;
    return node;
  }
  if (const json::value* fact = in.find("fact")) {
    MIZAN_TRY(word, from_json<std::string>(*fact, in.path("fact")));
    MIZAN_CHECK(read_fact_leaf(in, word, node, scope));
    MIZAN_CHECK(in.finish());
    return node;
  }
  if (in.find("party") != nullptr && !scope.of_class) {
    MIZAN_CHECK(read_party_leaf(in, node));
    MIZAN_CHECK(in.finish());
    return node;
  }
  return bad_field(path, "expected one of all, any, not, date, fact, party");
}

Result<void> Loader::read_fact_leaf(ObjectReader& in, std::string_view fact, Node& node,
                                    const Scope& scope) {
  const auto* const word = std::find_if(std::begin(kFacts), std::end(kFacts),
                                        [&](const FactWord& known) { return known.word == fact; });
  if (word == std::end(kFacts) || (scope.of_class && !word->of_item)) {
    std::vector<std::string> known;
    for (const FactWord& one : kFacts)
      if (one.of_item || !scope.of_class) known.emplace_back(one.word);
    return unknown_word(in.path("fact"), "a fact that stands here", fact, known);
  }
  node.fact = word->fact;
  node.op = word->op;
  const auto list = [&]() -> Result<const json::value*> {
    const json::value* value = in.find("in");
    if (value == nullptr) return bad_field(in.path("in"), "is missing");
    return value;
  };
  switch (node.op) {
    case Op::operation_in: {
      MIZAN_TRY(value, list());
      MIZAN_TRY(mask, read_mask(*value, in.path("in"), "an operation", kOperationWords));
      node.mask = mask;
      return {};
    }
    case Op::end_use_in: {
      MIZAN_TRY(value, list());
      MIZAN_TRY(mask, read_mask(*value, in.path("in"), "an end use", kEndUseWords));
      node.mask = mask;
      return {};
    }
    case Op::class_in: {
      MIZAN_TRY(value, list());
      std::vector<std::string_view> words(32);
      words[0] = "none";
      for (const ItemClass& known : set_.classes_) words[known.rank] = known.name;
      MIZAN_TRY(mask, read_mask(*value, in.path("in"), "a class", words));
      node.mask = mask;
      return {};
    }
    case Op::chip_in: {
      MIZAN_TRY(value, list());
      MIZAN_TRY(names, from_json<std::vector<std::string>>(*value, in.path("in")));
      if (names.empty()) return bad_field(in.path("in"), "is empty");
      node.set = static_cast<uint32_t>(set_.conditions_.names.size());
      set_.conditions_.names.push_back(std::move(names));
      return {};
    }
    case Op::country_in: {
      MIZAN_TRY(value, list());
      MIZAN_TRY(set, place_set(*value, in.path("in")));
      node.set = set;
      return {};
    }
    case Op::flag_is:
      in.required("is", node.wanted);
      return {};
    case Op::list_includes: {
      std::string wanted;
      in.required("includes", wanted);
      if (in.failed()) return {};
      const auto& known = node.fact == FactId::notices ? set_.notices_ : set_.certifications_;
      if (std::find(known.begin(), known.end(), wanted) == known.end())
        return unknown_word(in.path("includes"), "a known entry of the list", wanted, known);
      node.set = static_cast<uint32_t>(set_.conditions_.names.size());
      set_.conditions_.names.push_back({wanted});
      return {};
    }
    default:
      break;
  }
  MIZAN_CHECK(read_threshold(in, node, node.op == Op::count));
  // More units must never make a verdict milder.
  if (node.op == Op::count && (node.compare == Compare::below || !scope.may_grow))
    return bad_field(in.path("fact"),
                     "may only be asked to be \"at_least\" or \"above\", and not inside \"not\" or "
                     "\"review\"");
  return {};
}

Result<void> Loader::read_threshold(ObjectReader& in, Node& node, bool whole) {
  constexpr std::string_view kWords[] = {"at_least", "above", "below"};
  int found = 0;
  for (size_t i = 0; i < std::size(kWords); ++i) {
    const json::value* value = in.find(kWords[i]);
    if (value == nullptr) continue;
    ++found;
    node.compare = static_cast<Compare>(i);
    if (whole) {
      MIZAN_TRY(number, from_json<int64_t>(*value, in.path(kWords[i])));
      node.number = number;
    } else {
      MIZAN_TRY(number, read_decimal(*value, in.path(kWords[i])));
      node.number = number.nano;
    }
  }
  if (found != 1 && !in.failed())
    return bad_field(in.path("at_least"), "expected one of at_least, above, below");
  return {};
}

Result<void> Loader::read_party_leaf(ObjectReader& in, Node& node) {
  const json::value& roles = *in.find("party");
  if (roles.is_string() && roles.get_string() == "any") {
    node.mask = ~uint32_t{0};
  } else {
    MIZAN_TRY(mask, read_mask(roles, in.path("party"), "a role", kRoleWords));
    node.mask = mask;
  }
  if (const json::value* listed = in.find("listed")) {
    MIZAN_TRY(effect, read_word(*listed, in.path("listed"), "an effect", kEffectWords));
    node.op = Op::party_listed;
    node.effect = static_cast<ListEffect>(effect);
    return {};
  }
  if (const json::value* owned = in.find("owned")) {
    MIZAN_TRY(effect, read_word(*owned, in.path("owned"), "an effect", kEffectWords));
    node.op = Op::party_owned;
    node.effect = static_cast<ListEffect>(effect);
    MIZAN_CHECK(read_threshold(in, node, false));
    if (node.compare == Compare::below)
      return bad_field(in.path("below"), "a share may be asked to be at_least or above");
    return {};
  }
  const json::value* facts = in.find("facts");
  if (facts == nullptr) return bad_field(in.path("facts"), "is missing");
  constexpr std::string_view kWords[] = {"country", "hq", "parent_hq"};
  MIZAN_TRY(mask, read_mask(*facts, in.path("facts"), "a fact of a party", kWords));
  node.party_facts = static_cast<uint8_t>(mask);
  if (const json::value* kind = in.find("in_condition")) {
    MIZAN_TRY(word, read_text(*kind, in.path("in_condition")));
    auto& kinds = set_.conditions_.kinds;
    auto place = std::find(kinds.begin(), kinds.end(), word);
    if (place == kinds.end()) place = kinds.insert(kinds.end(), word);
    node.op = Op::party_in_condition;
    node.set = static_cast<uint32_t>(place - kinds.begin());
    return {};
  }
  node.op = Op::party_in;
  const json::value* in_set = in.find("in");
  const json::value* not_in = in.find("not_in");
  if ((in_set == nullptr) == (not_in == nullptr))
    return bad_field(in.path("in"), "expected one of in, not_in, in_condition");
  node.wanted = in_set != nullptr;
  MIZAN_TRY(set,
            place_set(node.wanted ? *in_set : *not_in, in.path(node.wanted ? "in" : "not_in")));
  node.set = set;
  return {};
}

}  // namespace mizan::policy
