#include "policy/facts.hpp"

#include <algorithm>

namespace mizan::policy {
namespace {

Truth truth(bool value) {
  return value ? Truth::yes : Truth::no;
}
Truth negate(Truth value) {
  return static_cast<Truth>(2 - static_cast<int>(value));
}

bool compares(i128 left, Compare compare, i128 right) {
  switch (compare) {
    case Compare::at_least:
      return left >= right;
    case Compare::above:
      return left > right;
    case Compare::below:
      return left < right;
  }
  return false;
}

// Not applicable means that no comparison holds.
template <class T>
Truth compared(const Fact<T>& fact, Evidence least, auto&& holds) {
  switch (fact.seen(least)) {
    case Known::unknown:
      return Truth::unknown;
    case Known::not_applicable:
      return Truth::no;
    case Known::known:
      return truth(holds(fact.value));
  }
  return Truth::unknown;
}

Truth ratio(const Fact<Decimal>& above, const Fact<Decimal>& below, const Node& node,
            Evidence least) {
  const Known top = above.seen(least);
  const Known bottom = below.seen(least);
  if (top == Known::not_applicable || bottom == Known::not_applicable) return Truth::no;
  if (top == Known::unknown || bottom == Known::unknown) return Truth::unknown;
  return truth(
      compares(i128{above.value.nano} * kNano, node.compare, i128{node.number} * below.value.nano));
}

// The owners' shares of one effect: what is certain, and whether some share is open.
struct Owned {
  int64_t nano = 0;
  bool open = false;
};

Owned owned(const std::vector<ListedOwner>& owners, ListEffect effect, Evidence least) {
  Owned sum;
  for (const ListedOwner& owner : owners) {
    if (owner.effect != effect) continue;
    if (owner.share.seen(least) == Known::known)
      sum.nano += owner.share.value.nano;
    else if (owner.share.seen(least) == Known::unknown)
      sum.open = true;
  }
  return sum;
}

}  // namespace

Facts::Facts(const RuleSet& rules, const Case& subject)
    : rules_(rules),
      subject_(subject),
      item_(item_facts(rules, subject)),
      destination_(subject.destination),
      weakest_(weakest_of(subject)) {
  if (destination_.known == Known::unknown && subject.operation.is_known() &&
      subject.operation.value == Operation::lease)
    destination_ = Fact<Country>::not_applicable(subject.operation.evidence);
}

const Fact<uint64_t>& Facts::units() const {
  return subject_.group_units.is_known() ? subject_.group_units : subject_.units;
}

Truth Facts::evaluate(NodeId condition, View view) const {
  return walk(condition, {view == View::values, Evidence::self_declared});
}

Truth Facts::evaluate_at(NodeId condition, Evidence least) const {
  return walk(condition, {true, least});
}

uint32_t Facts::classes(Evidence least) const {
  uint32_t& known = classes_[static_cast<size_t>(least)];
  if (known != 0) return known;
  uint32_t possible = 0;
  bool certain = false;
  for (const ItemClass& item_class : rules_.classes()) {
    if (subject_.date < item_class.from || item_class.until < subject_.date) continue;
    const Truth fits = evaluate_at(item_class.when, least);
    if (fits != Truth::no) possible |= uint32_t{1} << item_class.rank;
    certain = fits == Truth::yes;
    if (certain) break;
  }
  if (!certain) possible |= 1;
  return known = possible;
}

Truth Facts::walk(NodeId id, Level level) const {
  const Conditions& conditions = rules_.conditions();
  const Node& node = conditions.nodes[id];
  const NodeId* child = conditions.children.data() + node.first;
  switch (node.op) {
    case Op::all: {
      Truth least = Truth::yes;
      for (uint32_t i = 0; i < node.size && least != Truth::no; ++i)
        least = std::min(least, walk(child[i], level));
      return least;
    }
    case Op::any: {
      Truth most = Truth::no;
      for (uint32_t i = 0; i < node.size && most != Truth::yes; ++i)
        most = std::max(most, walk(child[i], level));
      return most;
    }
    case Op::negate:
      return negate(walk(*child, level));
    default:
      return leaf(node, level.of(node));
  }
}

Truth Facts::leaf(const Node& node, Evidence least) const {
  const auto in_mask = [&node](auto value) {
    return ((node.mask >> static_cast<uint32_t>(value)) & 1) != 0;
  };
  switch (node.op) {
    case Op::date_from:
      return truth(subject_.date.yyyymmdd >= node.number);
    case Op::date_before:
      return truth(subject_.date.yyyymmdd < node.number);
    case Op::operation_in:
      return compared(subject_.operation, least, in_mask);
    case Op::end_use_in:
      return compared(subject_.end_use, least, in_mask);
    case Op::class_in: {
      const uint32_t possible = classes(least);
      if ((possible & node.mask) == 0) return Truth::no;
      return (possible & ~node.mask) == 0 ? Truth::yes : Truth::unknown;
    }
    case Op::country_in: {
      const Fact<Country>& fact = node.fact == FactId::origin     ? subject_.origin
                                  : node.fact == FactId::location ? subject_.location
                                                                  : destination_;
      return compared(fact, least, [&](Country value) {
        return rules_.conditions().places[node.set].contains(value, subject_.date);
      });
    }
    case Op::list_includes: {
      const auto& wanted = rules_.conditions().names[node.set];
      const auto& fact = node.fact == FactId::notices ? subject_.notices : subject_.certifications;
      return compared(fact, least, [&wanted](const std::vector<std::string>& list) {
        return std::find(list.begin(), list.end(), wanted.front()) != list.end();
      });
    }
    case Op::count: {
      const Fact<uint64_t>& fact = node.fact == FactId::units ? units() : subject_.training_work;
      return compared(fact, least, [&node](uint64_t value) {
        return compares(i128{value}, node.compare, i128{node.number});
      });
    }
    case Op::party_in:
    case Op::party_in_condition:
    case Op::party_listed:
    case Op::party_owned:
      return parties(node, least);
    default:
      return figure(node, least);
  }
}

Truth Facts::figure(const Node& node, Evidence least) const {
  switch (node.fact) {
    case FactId::chip: {
      const auto& names = rules_.conditions().names[node.set];
      return compared(item_.name, least, [&names](std::string_view name) {
        return std::find(names.begin(), names.end(), name) != names.end();
      });
    }
    case FactId::training:
      return compared(subject_.training, least, [&](bool flag) { return flag == node.wanted; });
    case FactId::datacenter_marketed:
      return compared(item_.datacenter, least, [&](bool flag) { return flag == node.wanted; });
    case FactId::hbm_co_packaged:
      return compared(item_.hbm_co_packaged, least, [&](bool flag) { return flag == node.wanted; });
    case FactId::pd:
      return ratio(item_.tpp, item_.die_mm2, node, least);
    case FactId::hbm_density:
      return ratio(item_.hbm_bandwidth, item_.hbm_area, node, least);
    default:
      break;
  }
  const Fact<Decimal>& number = node.fact == FactId::tpp              ? item_.tpp
                                : node.fact == FactId::dram_bandwidth ? item_.dram_GBps
                                                                      : item_.interconnect_GBps;
  return compared(number, least, [&node](Decimal value) {
    return compares(value.nano, node.compare, node.number);
  });
}

Truth Facts::parties(const Node& node, Evidence least) const {
  const Known known = subject_.parties.seen(least);
  if (known != Known::known) return known == Known::unknown ? Truth::unknown : Truth::no;
  Truth most = Truth::no;
  for (const Party& each : subject_.parties.value) {
    if (((node.mask >> static_cast<uint32_t>(each.role)) & 1) == 0) continue;
    most = std::max(most, party(node, each, least));
    if (most == Truth::yes) break;
  }
  return most;
}

bool Facts::in_condition(const Node& node, Country value) const {
  const std::string& kind = rules_.conditions().kinds[node.set];
  const Country whole = rules_.whole(value);
  for (const LicenceCondition& condition : subject_.licence_conditions.value)
    if (condition.kind == kind && (condition.country == value || condition.country == whole))
      return true;
  return false;
}

Truth Facts::party(const Node& node, const Party& subject, Evidence least) const {
  if (node.op == Op::party_listed)
    return compared(subject.lists, least, [&node](const std::vector<ListMatch>& lists) {
      return std::any_of(lists.begin(), lists.end(),
                         [&node](const ListMatch& match) { return match.effect == node.effect; });
    });
  if (node.op == Op::party_owned) {
    const Known known = subject.listed_owners.seen(least);
    if (known != Known::known) return known == Known::unknown ? Truth::unknown : Truth::no;
    const Owned sum = owned(subject.listed_owners.value, node.effect, least);
    if (compares(sum.nano, node.compare, node.number)) return Truth::yes;
    return sum.open ? Truth::unknown : Truth::no;
  }
  Truth conditions = Truth::yes;
  if (node.op == Op::party_in_condition) {
    const Known known = subject_.licence_conditions.seen(least);
    if (known == Known::not_applicable ||
        (known == Known::known && subject_.licence_conditions.value.empty()))
      return Truth::no;
    if (known == Known::unknown) conditions = Truth::unknown;
  }
  Truth most = Truth::no;
  const auto see = [&](uint8_t bit, const Fact<Country>& fact) {
    if ((node.party_facts & bit) == 0 || most == Truth::yes) return;
    most = std::max(most, compared(fact, least, [&](Country value) {
                      if (node.op == Op::party_in_condition)
                        return conditions == Truth::unknown || in_condition(node, value);
                      return rules_.conditions().places[node.set].contains(value, subject_.date) ==
                             node.wanted;
                    }));
  };
  see(kPartyCountry, subject.country);
  see(kPartyHq, subject.hq);
  see(kPartyParentHq, subject.parent_hq);
  return std::min(most, conditions);
}

}  // namespace mizan::policy
