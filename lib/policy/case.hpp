// A case: the facts that a verdict rests on, each known or not, with the strength of its evidence.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/country.hpp"

#include <string>
#include <vector>

namespace mizan::policy {

/// Weakest first. A fact of a case file is proven unless the file says otherwise.
enum class Evidence : uint8_t { self_declared, credential, measured, proven };
constexpr Evidence enum_last(Evidence) {
  return Evidence::proven;
}

enum class Known : uint8_t { unknown, not_applicable, known };
constexpr Known enum_last(Known) {
  return Known::known;
}

/// A fact that may be unknown, or known not to apply ("n/a"). `value` counts only when known.
template <class T>
struct Fact {
  Known known = Known::unknown;
  Evidence evidence = Evidence::proven;
  T value{};
  MIZAN_FIELDS(known, evidence, value)

  static Fact of(T value, Evidence evidence = Evidence::proven) {
    return Fact{Known::known, evidence, std::move(value)};
  }
  static Fact not_applicable(Evidence evidence = Evidence::proven) {
    return Fact{Known::not_applicable, evidence, T{}};
  }
  bool is_known() const { return known == Known::known; }
  /// What is left of the fact for one who accepts no weaker evidence than `least`.
  Known seen(Evidence least) const { return evidence < least ? Known::unknown : known; }
};

enum class Operation : uint8_t { lease, export_, reexport, transfer };
constexpr Operation enum_last(Operation) {
  return Operation::transfer;
}

enum class EndUse : uint8_t { commercial, military_intelligence, wmd, technical_analysis };
constexpr EndUse enum_last(EndUse) {
  return EndUse::technical_analysis;
}

enum class Role : uint8_t {
  exporter,
  provider,
  operator_,
  hardware_owner,
  host,
  investor,
  broker,
  buyer,
  end_user
};
constexpr Role enum_last(Role) {
  return Role::end_user;
}

/// What being on a list means: a licence is needed (the Entity List), or every dealing is blocked.
enum class ListEffect : uint8_t { licence, block };
constexpr ListEffect enum_last(ListEffect) {
  return ListEffect::block;
}

struct ListMatch {
  std::string id;  ///< "EL"
  ListEffect effect = ListEffect::licence;
  MIZAN_FIELDS(id, effect)
};

struct ListedOwner {
  Fact<Decimal> share;  ///< 0 to 1, direct and indirect
  std::string list;
  ListEffect effect = ListEffect::licence;
  MIZAN_FIELDS(share, list, effect)
};

struct Party {
  Role role = Role::buyer;
  std::string id;  ///< a pseudonym, for a licence's scope; may be empty
  Fact<Country> country;
  Fact<Country> hq;
  Fact<Country> parent_hq;
  Fact<std::vector<ListMatch>> lists;
  Fact<std::vector<ListedOwner>> listed_owners;
  MIZAN_FIELDS(role, id, country, hq, parent_hq, lists, listed_owners)
};

/// A chip by its figures. A width that the chip does not offer is not applicable.
struct ChipFigures {
  Fact<std::string> name;
  Fact<Decimal> dense16;  ///< dense TOPS or TFLOPS at that width
  Fact<Decimal> dense8;
  Fact<Decimal> dense6;
  Fact<Decimal> dense4;
  Fact<Decimal> die_mm2;
  Fact<Decimal> dram_GBps;
  Fact<Decimal> interconnect_GBps;  ///< both directions added
  Fact<bool> datacenter;
  MIZAN_FIELDS(name, dense16, dense8, dense6, dense4, die_mm2, dram_GBps, interconnect_GBps,
               datacenter)
};

struct Hbm {
  Fact<Decimal> bandwidth_GBps;
  Fact<Decimal> package_mm2;
  Fact<bool> co_packaged;  ///< with a dominant logic die
  MIZAN_FIELDS(bandwidth_GBps, package_mm2, co_packaged)
};

enum class ItemKind : uint8_t { listed_chip, chip_figures, hbm };
constexpr ItemKind enum_last(ItemKind) {
  return ItemKind::hbm;
}

/// Not applicable means a node without an accelerator.
struct Item {
  ItemKind kind = ItemKind::listed_chip;
  std::string name;     ///< listed_chip: a name of the rule set's chip table
  ChipFigures figures;  ///< chip_figures
  Hbm hbm;              ///< hbm
  MIZAN_FIELDS(kind, name, figures, hbm)
};

/// A licence on file. A limit that is "n/a" does not bind; one that is unknown covers nothing.
struct Licence {
  Fact<std::string> number;
  Fact<std::string> chip;
  Fact<uint64_t> units;
  Fact<Country> destination;
  Fact<std::string> party;  ///< a party's id, or a role that the case lists
  Fact<Date> expires;       ///< the last day
  MIZAN_FIELDS(number, chip, units, destination, party, expires)
};

/// A condition of the licence that the machine was shipped under: "no_hq:CN".
struct LicenceCondition {
  std::string kind;
  Country country;
  MIZAN_FIELDS(kind, country)
};

/// All that a verdict depends on beside the rule set. The exchange fills it from its journal.
struct Case {
  std::string id;
  Date date;
  Fact<Operation> operation;
  Fact<Item> item;
  Fact<uint64_t> units;          ///< of this deal
  Fact<uint64_t> group_units;    ///< of all deals of the person or group, this one included
  Fact<uint64_t> training_work;  ///< upper bound of the group's, 10^12 operations
  Fact<Country> origin;
  Fact<Country> location;     ///< where the hardware is
  Fact<Country> destination;  ///< where it goes
  Fact<std::vector<std::string>> certifications;
  Fact<std::vector<std::string>> notices;  ///< that bind the exporter
  Fact<std::vector<LicenceCondition>> licence_conditions;
  Fact<std::vector<Licence>> licences;
  Fact<std::vector<Party>> parties;  ///< a role that is not listed does not exist
  Fact<EndUse> end_use;
  Fact<bool> training;
  Fact<bool> datacenter_marketed;  ///< overrides the chip table's column when known
  MIZAN_FIELDS(id, date, operation, item, units, group_units, training_work, origin, location,
               destination, certifications, notices, licence_conditions, licences, parties, end_use,
               training, datacenter_marketed)
};

std::string_view to_string(Evidence value);
std::string_view to_string(Operation value);
std::string_view to_string(EndUse value);
std::string_view to_string(Role value);
std::string_view to_string(ListEffect value);

}  // namespace mizan::policy
