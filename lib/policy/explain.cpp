#include "policy/explain.hpp"

#include "codec/json.hpp"
#include "policy/judge.hpp"
#include "policy/words.hpp"

#include <algorithm>
#include <vector>

namespace mizan::policy {

std::string quoted(std::string_view text) {
  return json_text(json::value(json::string_view(text.data(), text.size())));
}

class Explainer {
 public:
  explicit Explainer(const Facts& facts) : facts_(facts) {}

  Grounds node(NodeId id, Facts::Level level) const;

 private:
  Grounds leaf(const Node& node, Facts::Level level) const;
  void figure(const Node& node, Evidence least, Grounds& out) const;
  void classes(Evidence least, Grounds& out) const;
  void parties(const Node& node, Evidence least, Grounds& out) const;
  void party_fact(const Node& node, const Party& party, Evidence least, Grounds& out) const;

  // A fact with its value's text, or missing under the name that the case file has for it.
  template <class T, class Text>
  static void show(const Fact<T>& fact, Evidence least, const std::string& name,
                   const std::string& missing, Text&& text, Grounds& out) {
    if (fact.seen(least) == Known::unknown) out.missing.insert(missing);
    if (fact.known == Known::not_applicable)
      out.facts[name].insert("\"n/a\"");
    else if (fact.is_known())
      out.facts[name].insert(text(fact.value));
  }
  bool column_unverified(std::string_view column) const {
    const Chip* chip = facts_.item().chip;
    return chip != nullptr && chip->is_unverified(column);
  }

  const Facts& facts_;
};

namespace {

bool may_be_several(Role role) {
  return role == Role::operator_ || role == Role::hardware_owner || role == Role::host ||
         role == Role::investor || role == Role::broker;
}

void merge(Grounds&& from, Grounds& into) {
  for (auto& [name, values] : from.facts) into.facts[name].insert(values.begin(), values.end());
  into.missing.insert(from.missing.begin(), from.missing.end());
  into.unverified = into.unverified || from.unverified;
}

}  // namespace

Grounds Explainer::node(NodeId id, Facts::Level level) const {
  const Conditions& conditions = facts_.rules().conditions();
  const Node& node = conditions.nodes[id];
  if (node.op == Op::negate) return this->node(conditions.children[node.first], level);
  if (node.op != Op::all && node.op != Op::any) return leaf(node, level);
  const Truth whole = facts_.walk(id, level);
  // "all" is decided by any part that is false, "any" by any part that is true: then one verified
  // part is enough. Else every part counts.
  const Truth deciding = node.op == Op::all ? Truth::no : Truth::yes;
  Grounds out;
  bool all_unverified = true;
  bool some_part = false;
  for (uint32_t i = 0; i < node.size; ++i) {
    const NodeId child = conditions.children[node.first + i];
    const Truth part = facts_.walk(child, level);
    if (whole == deciding && part != deciding) continue;
    if (whole == Truth::unknown && part != Truth::unknown && node.op == Op::any) continue;
    Grounds grounds = this->node(child, level);
    if (whole == deciding) {
      all_unverified = all_unverified && grounds.unverified;
      grounds.unverified = false;
    }
    some_part = true;
    merge(std::move(grounds), out);
  }
  if (whole == deciding && some_part && all_unverified) out.unverified = true;
  return out;
}

Grounds Explainer::leaf(const Node& node, Facts::Level level) const {
  const Evidence least = level.of(node);
  const Case& subject = facts_.subject();
  Grounds out;
  const auto text_of = [](auto value) { return quoted(to_string(value)); };
  switch (node.op) {
    case Op::date_from:
    case Op::date_before:
      out.facts["date"].insert(quoted(to_string(subject.date)));
      return out;
    case Op::operation_in:
      show(subject.operation, least, "operation", "operation", text_of, out);
      return out;
    case Op::end_use_in:
      show(subject.end_use, least, "end_use", "end_use", text_of, out);
      return out;
    case Op::class_in:
      classes(least, out);
      return out;
    case Op::country_in: {
      const std::string name = node.fact == FactId::origin     ? "origin"
                               : node.fact == FactId::location ? "location"
                                                               : "destination";
      const Fact<Country>& fact = node.fact == FactId::origin     ? subject.origin
                                  : node.fact == FactId::location ? subject.location
                                                                  : facts_.destination();
      show(fact, least, name, name, text_of, out);
      const CountryTest& test = facts_.rules().conditions().places[node.set];
      out.unverified =
          test.list_unverified || (fact.is_known() && test.unverified.contains(fact.value));
      return out;
    }
    case Op::list_includes: {
      const bool notices = node.fact == FactId::notices;
      const std::string name = notices ? "notices" : "certifications";
      const auto& fact = notices ? subject.notices : subject.certifications;
      const std::string& wanted = facts_.rules().conditions().names[node.set].front();
      if (fact.seen(least) == Known::unknown) out.missing.insert(name);
      if (fact.is_known() &&
          std::find(fact.value.begin(), fact.value.end(), wanted) != fact.value.end())
        out.facts[name].insert(quoted(wanted));
      else if (fact.is_known())
        out.facts[name];
      return out;
    }
    case Op::count: {
      const bool units = node.fact == FactId::units;
      const std::string name = units ? "units" : "training_work";
      show(
          units ? facts_.units() : subject.training_work, least, name, name,
          [](uint64_t value) { return std::to_string(value); }, out);
      return out;
    }
    case Op::party_in:
    case Op::party_in_condition:
    case Op::party_listed:
    case Op::party_owned:
      parties(node, least, out);
      return out;
    default:
      figure(node, least, out);
      return out;
  }
}

void Explainer::figure(const Node& node, Evidence least, Grounds& out) const {
  const ItemFacts& item = facts_.item();
  const bool no_item = facts_.subject().item.seen(least) == Known::unknown;
  const auto number = [](Decimal value) { return to_string(value); };
  const auto yes_no = [](bool value) { return std::string(value ? "true" : "false"); };
  const auto column = [&](const Fact<Decimal>& fact, const std::string& name) {
    show(fact, least, name, no_item ? "chip" : name, number, out);
    out.unverified = out.unverified || column_unverified(name);
  };
  const auto tpp = [&] {
    show(item.tpp, least, "tpp", no_item ? "chip" : "dense16", number, out);
    out.unverified = out.unverified || column_unverified(item.tpp_column);
  };
  switch (node.fact) {
    case FactId::chip:
      show(
          item.name, least, "chip", "chip", [](std::string_view name) { return quoted(name); },
          out);
      return;
    case FactId::training:
      show(facts_.subject().training, least, "training", "training", yes_no, out);
      return;
    case FactId::datacenter_marketed:
      show(item.datacenter, least, "datacenter_marketed",
           no_item && !item.datacenter_from_case ? "chip" : "datacenter_marketed", yes_no, out);
      if (!item.datacenter_from_case) out.unverified = column_unverified("dc_designed_or_marketed");
      return;
    case FactId::hbm_co_packaged:
      show(item.hbm_co_packaged, least, "hbm.co_packaged", no_item ? "chip" : "hbm.co_packaged",
           yes_no, out);
      return;
    case FactId::pd:
      tpp();
      column(item.die_mm2, "applicable_die_mm2");
      return;
    case FactId::hbm_density:
      column(item.hbm_bandwidth, "hbm.bandwidth_GBps");
      column(item.hbm_area, "hbm.package_mm2");
      return;
    case FactId::tpp:
      tpp();
      return;
    case FactId::dram_bandwidth:
      column(item.dram_GBps, "dram_bw_GBps");
      return;
    default:
      column(item.interconnect_GBps, "interconnect_GBps_bidir");
      return;
  }
}

// The classes up to the one that holds: why those before it do not, and why it does.
void Explainer::classes(Evidence least, Grounds& out) const {
  const uint32_t possible = facts_.classes(least);
  for (const ItemClass& item_class : facts_.rules().classes()) {
    const Date date = facts_.subject().date;
    if (date < item_class.from || item_class.until < date) continue;
    Grounds grounds = node(item_class.when, {true, least});
    grounds.unverified = grounds.unverified || item_class.unverified;
    merge(std::move(grounds), out);
    if (possible == uint32_t{1} << item_class.rank) break;
  }
  if ((possible & (possible - 1)) == 0) out.missing.clear();
  // The figures speak through the class; the item is named beside it.
  out.facts.clear();
  out.facts["class"].insert(
      quoted(class_name(facts_.rules(), facts_.classes(Evidence::self_declared))));
  const Fact<std::string_view>& name = facts_.item().name;
  if (name.is_known()) out.facts["chip"].insert(quoted(name.value));
}

void Explainer::parties(const Node& node, Evidence least, Grounds& out) const {
  const Case& subject = facts_.subject();
  if (subject.parties.seen(least) == Known::unknown) {
    out.missing.insert("parties");
    return;
  }
  const Truth whole = facts_.parties(node, least);
  bool some = false;
  for (const Party& party : subject.parties.value) {
    if (((node.mask >> static_cast<uint32_t>(party.role)) & 1) == 0) continue;
    if (facts_.party(node, party, least) != whole) continue;
    Grounds grounds;
    party_fact(node, party, least, grounds);
    some = true;
    merge(std::move(grounds), out);
  }
  if (!some && node.op == Op::party_in) return;
  if (node.op == Op::party_in_condition && whole != Truth::no) {
    const auto& fact = subject.licence_conditions;
    if (fact.seen(least) == Known::unknown) out.missing.insert("licence_conditions");
    for (const LicenceCondition& condition : fact.value)
      out.facts["licence_conditions"].insert(
          quoted(condition.kind + ":" + to_string(condition.country)));
  }
}

void Explainer::party_fact(const Node& node, const Party& party, Evidence least,
                           Grounds& out) const {
  const std::string role(to_string(party.role));
  // Of these there may be several: a finding names which.
  if (may_be_several(party.role) && !party.id.empty()) out.facts["party"].insert(quoted(party.id));
  if (node.op == Op::party_listed) {
    if (party.lists.seen(least) == Known::unknown) out.missing.insert("lists");
    if (party.lists.is_known()) out.facts[role + ".lists"];
    for (const ListMatch& match : party.lists.value)
      if (match.effect == node.effect) out.facts[role + ".lists"].insert(quoted(match.id));
    return;
  }
  if (node.op == Op::party_owned) {
    const auto& fact = party.listed_owners;
    if (fact.seen(least) == Known::unknown) out.missing.insert("listed_owners");
    int64_t sum = 0;
    for (const ListedOwner& owner : fact.value) {
      if (owner.effect != node.effect) continue;
      if (owner.share.is_known()) sum += owner.share.value.nano;
      if (owner.share.seen(least) == Known::unknown) out.missing.insert("listed_owners.share");
    }
    if (fact.is_known()) out.facts[role + ".listed_owners"].insert(quoted(to_string(Decimal{sum})));
    return;
  }
  const CountryTest* test =
      node.op == Op::party_in ? &facts_.rules().conditions().places[node.set] : nullptr;
  const Truth whole = facts_.party(node, party, least);
  const auto see = [&](uint8_t bit, const char* name, const Fact<Country>& fact) {
    if ((node.party_facts & bit) == 0) return;
    // Of a party that is in the set, only the facts that put it there.
    if (whole == Truth::yes && fact.is_known() && test != nullptr &&
        test->contains(fact.value, facts_.subject().date) != node.wanted)
      return;
    if (whole == Truth::yes && fact.seen(least) != Known::known) return;
    show(
        fact, least, role + "." + name, name,
        [](Country value) { return quoted(to_string(value)); }, out);
    if (test != nullptr &&
        (test->list_unverified || (fact.is_known() && test->unverified.contains(fact.value))))
      out.unverified = true;
  };
  see(kPartyCountry, "country", party.country);
  see(kPartyHq, "hq", party.hq);
  see(kPartyParentHq, "parent_hq", party.parent_hq);
}

Grounds explain(const Facts& facts, NodeId condition, View view) {
  return Explainer(facts).node(condition, {view == View::values, Evidence::self_declared});
}

}  // namespace mizan::policy
