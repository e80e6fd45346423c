#include "policy/item_facts.hpp"

#include <algorithm>

namespace mizan::policy {
namespace {

// The TPP and the width that gave it: the highest of dense rate x bit length.
void set_tpp(const ChipFigures& figures, ItemFacts& item) {
  struct Width {
    const Fact<Decimal>& rate;
    int64_t bits;
    std::string_view column;
  };
  const Width widths[] = {{figures.dense16, 16, "dense16"},
                          {figures.dense8, 8, "dense8"},
                          {figures.dense6, 6, "dense6"},
                          {figures.dense4, 4, "dense4"}};
  for (const Width& width : widths) {
    if (!width.rate.is_known()) continue;
    const Decimal tpp{width.rate.value.nano * width.bits};
    const Evidence weaker = std::min(item.tpp.evidence, width.rate.evidence);
    if (!item.tpp.is_known() || tpp > item.tpp.value) {
      item.tpp = Fact<Decimal>::of(tpp);
      item.tpp_column = width.column;
    }
    item.tpp.evidence = weaker;
  }
}

template <class T>
Fact<T> at_most(Fact<T> fact, Evidence evidence) {
  fact.evidence = std::min(fact.evidence, evidence);
  return fact;
}

void set_figures(const ChipFigures& figures, Evidence evidence, ItemFacts& item) {
  set_tpp(figures, item);
  item.tpp = at_most(item.tpp, evidence);
  item.die_mm2 = at_most(figures.die_mm2, evidence);
  item.dram_GBps = at_most(figures.dram_GBps, evidence);
  item.interconnect_GBps = at_most(figures.interconnect_GBps, evidence);
  item.datacenter = at_most(figures.datacenter, evidence);
}

// Everything that this kind of item does not have is known not to apply.
void set_absent(Evidence evidence, bool chip, bool hbm, ItemFacts& item) {
  const auto none = Fact<Decimal>::not_applicable(evidence);
  if (!chip) {
    item.name = Fact<std::string_view>::not_applicable(evidence);
    item.tpp = item.die_mm2 = item.dram_GBps = item.interconnect_GBps = none;
    item.datacenter = Fact<bool>::not_applicable(evidence);
  }
  if (!hbm) {
    item.hbm_bandwidth = item.hbm_area = none;
    item.hbm_co_packaged = Fact<bool>::not_applicable(evidence);
  }
}

}  // namespace

ItemFacts item_facts(const RuleSet& rules, const Case& subject) {
  ItemFacts item;
  const Fact<Item>& fact = subject.item;
  item.known = fact.known;
  item.evidence = fact.evidence;
  if (fact.known == Known::not_applicable) set_absent(fact.evidence, false, false, item);
  if (!fact.is_known()) return item;
  switch (fact.value.kind) {
    case ItemKind::listed_chip:
      set_absent(fact.evidence, true, false, item);
      item.name = Fact<std::string_view>::of(fact.value.name, fact.evidence);
      item.chip = rules.chip(fact.value.name);
      if (item.chip != nullptr) set_figures(item.chip->figures, fact.evidence, item);
      break;
    case ItemKind::chip_figures: {
      const ChipFigures& figures = fact.value.figures;
      set_absent(fact.evidence, true, false, item);
      item.name = {figures.name.known, std::min(figures.name.evidence, fact.evidence),
                   figures.name.value};
      set_figures(figures, fact.evidence, item);
      break;
    }
    case ItemKind::hbm:
      set_absent(fact.evidence, false, true, item);
      item.hbm_bandwidth = at_most(fact.value.hbm.bandwidth_GBps, fact.evidence);
      item.hbm_area = at_most(fact.value.hbm.package_mm2, fact.evidence);
      item.hbm_co_packaged = at_most(fact.value.hbm.co_packaged, fact.evidence);
      break;
  }
  if (subject.datacenter_marketed.is_known() && fact.value.kind != ItemKind::hbm) {
    item.datacenter = subject.datacenter_marketed;
    item.datacenter_from_case = true;
  }
  return item;
}

Evidence weakest_of(const Case& subject) {
  Evidence weakest = Evidence::proven;
  const auto see = [&weakest](const auto& fact) {
    if (fact.known != Known::unknown) weakest = std::min(weakest, fact.evidence);
  };
  see(subject.operation);
  see(subject.item);
  if (subject.item.is_known()) {
    const ChipFigures& figures = subject.item.value.figures;
    see(figures.name);
    see(figures.dense16);
    see(figures.dense8);
    see(figures.dense6);
    see(figures.dense4);
    see(figures.die_mm2);
    see(figures.dram_GBps);
    see(figures.interconnect_GBps);
    see(figures.datacenter);
    const Hbm& hbm = subject.item.value.hbm;
    see(hbm.bandwidth_GBps);
    see(hbm.package_mm2);
    see(hbm.co_packaged);
  }
  see(subject.units);
  see(subject.group_units);
  see(subject.training_work);
  see(subject.origin);
  see(subject.location);
  see(subject.destination);
  see(subject.certifications);
  see(subject.notices);
  see(subject.licence_conditions);
  see(subject.end_use);
  see(subject.training);
  see(subject.datacenter_marketed);
  see(subject.parties);
  for (const Party& party : subject.parties.value) {
    see(party.country);
    see(party.hq);
    see(party.parent_hq);
    see(party.lists);
    see(party.listed_owners);
    for (const ListedOwner& owner : party.listed_owners.value) see(owner.share);
  }
  return weakest;
}

}  // namespace mizan::policy
