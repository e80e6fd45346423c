// What the journal keeps of the parties that policy judges: proven values, never documents.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "policy/case.hpp"

#include <map>
#include <string>
#include <vector>

namespace mizan::exchange {

/// A claim that the holder disclosed: its name and the salted SHA-256 of the disclosure.
struct Disclosure {
  std::string name;
  Hash32 digest;
  MIZAN_FIELDS(name, digest)
};

/// The values of a verified credential that rules read. `person` and `group` (the ultimate parent)
/// are pairwise ids of this exchange, zero where the issuer gives none. The facts' own evidence is
/// not looked at: all of them count as `credential`. No name, address or document.
struct PartyFacts {
  std::string issuer;  ///< its URI, one of those that the operator accepts; at most 512 bytes
  Hash32 person;
  Hash32 group;
  policy::Fact<policy::Country> country;  ///< seat
  policy::Fact<policy::Country> hq;
  policy::Fact<policy::Country> parent_hq;
  policy::Fact<std::vector<policy::ListMatch>> lists;            ///< at most 64
  policy::Fact<std::vector<policy::ListedOwner>> listed_owners;  ///< summed by effect; at most 64
  uint64_t issued_at = 0;                                        ///< seconds since 1970
  uint64_t expires_at = 0;  ///< from then on all of it is unknown again
  std::string status_list;  ///< the URI that tells of revocation; empty: none
  uint64_t status_index = 0;
  std::vector<Disclosure> disclosures;  ///< at most 64
  MIZAN_FIELDS(issuer, person, group, country, hq, parent_hq, lists, listed_owners, issued_at,
               expires_at, status_list, status_index, disclosures)
};

/// Whom a sum or a listing is about. Ten keys of one parent are one group.
enum class SubjectKind : uint8_t { account, person, group };
constexpr SubjectKind enum_last(SubjectKind) {
  return SubjectKind::group;
}
struct Subject {
  SubjectKind kind = SubjectKind::account;
  Hash32 id;  ///< an account's address stands in the last 20 bytes
  MIZAN_FIELDS(kind, id)
  /// Its bytes, in whose order subjects are.
  ByteView view() const { return {reinterpret_cast<const uint8_t*>(this), sizeof *this}; }
  friend auto operator<=>(const Subject&, const Subject&) = default;
  friend bool operator==(const Subject&, const Subject&) = default;
};
static_assert(sizeof(Subject) == 33);
Subject subject_of(const Address& account);

/// The lists of one subject, by list name, as officers entered them.
using Listings = std::map<std::string, policy::ListEffect>;

}  // namespace mizan::exchange
