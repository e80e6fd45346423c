// What policy reads of the two signed texts: an ask's attributes and a bid's declaration.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/payee.hpp"
#include "codec/json.hpp"
#include "crypto/eip712_messages.hpp"
#include "policy/case.hpp"

#include <span>

namespace mizan::exchange {

/// One whom the provider's pay is shared with, and what it is to the machine. A share of the
/// provider's own has its role.
struct AskPayee {
  Payee payee;
  policy::Role role = policy::Role::investor;
  MIZAN_FIELDS(payee, role)
};

/// The facts of an ask. Each has the strength of its attribute's source: measured or attested
/// count as measured, self_reported as self_declared. The chip is read by the probe that measures
/// memory and cores, and is as strong as the weakest of them.
struct AskFacts {
  policy::Fact<policy::Item> item;
  policy::Fact<policy::Country> origin;
  policy::Fact<policy::Country> location;
  policy::Fact<std::vector<std::string>> certifications;
  policy::Fact<std::vector<std::string>> notices;
  policy::Fact<std::vector<policy::LicenceCondition>> licence_conditions;
  policy::Fact<bool> datacenter_marketed;
  policy::Fact<uint64_t> device_memory_gb;
  std::vector<AskPayee> payees;  ///< none: the provider is paid all
  MIZAN_FIELDS(item, origin, location, certifications, notices, licence_conditions,
               datacenter_marketed, device_memory_gb, payees)
};
std::vector<Payee> payees_of(const AskFacts& facts);

/// Attributes that are for policy alone and that queries do not know.
std::span<const std::string_view> policy_attributes();

/// Reads `origin` ("US"), `licence_conditions` (["no_hq:CN"]), `certifications`, `notices` (lists),
/// `datacenter_marketed` (bool), of which all but the last may be "n/a", and the location from
/// `country`. A chip "cpu" or "n/a" is a node without an accelerator; no licence of a chip binds
/// it. `payees` are [{"to", "bps", "role"}], the role one of operator, hardware_owner, host,
/// investor (if left out) and broker; of the provider itself it is left out. ask.payeesHash is
/// their hash. `attributes` is the object that read_attributes has checked.
Result<AskFacts> read_ask_facts(const eip712::Ask& ask, const json::value& attributes);

/// Whom the buyer rents for.
enum class EndUser : uint8_t { unknown, self, other };
constexpr EndUser enum_last(EndUser) {
  return EndUser::other;
}

/// What the buyer says of the deal; all of it is self_declared, what it leaves out is unknown.
struct Declaration {
  policy::Fact<policy::EndUse> end_use;
  policy::Fact<bool> training;
  policy::Fact<policy::Country> country;  ///< the buyer's own
  EndUser end_user = EndUser::unknown;
  policy::Fact<policy::Country> user_country;  ///< of another end user
  policy::Fact<policy::Country> user_hq;
  policy::Fact<policy::Country> user_parent_hq;
  MIZAN_FIELDS(end_use, training, country, end_user, user_country, user_hq, user_parent_hq)
};

/// `{"end_use": "commercial", "training": true, "country": "SG", "end_user": "self"}`, or as
/// end_user `{"country": "DE", "hq": "DE", "parent_hq": "n/a"}`. Every key may be left out.
Result<Declaration> read_declaration(const json::value& value, const std::string& path);

}  // namespace mizan::exchange
