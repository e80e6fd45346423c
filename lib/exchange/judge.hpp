// The place where policy speaks: every candidate match is judged before it becomes a lease.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/options.hpp"
#include "exchange/state.hpp"
#include "policy/rule_set.hpp"

namespace mizan::exchange {

/// What the exchange itself finds suspicious, whatever the rule set; each is a RED_FLAG.
enum class Flag : uint8_t {
  declared_country,  ///< the bid declares another country than the buyer's credential
  same_person,       ///< buyer and provider, or one of its payees, are keys of one person
  device_memory,     ///< the measured memory of a device is not that of the chip that is named
};
constexpr Flag enum_last(Flag) {
  return Flag::device_memory;
}

/// All that a verdict rests on beside the rule set; kept with the lease in canonical bytes.
struct CaseFile {
  policy::Case subject;
  bool pending = false;  ///< whether pending law counted
  std::map<policy::Outcome, policy::Outcome> stricter;
  policy::Fact<policy::Country> declared_country;  ///< the buyer's own word
  std::vector<Flag> flags;                         ///< ascending
  MIZAN_FIELDS(subject, pending, stricter, declared_country, flags)
};
/// Refuses (corrupted) bytes that are not a case file.
Result<CaseFile> read_case_file(ByteView bytes);

/// What the rules and the exchange say of a case, and what the market does about it.
struct Judgement {
  policy::Verdict verdict;                           ///< of the rule set
  policy::Outcome outcome = policy::Outcome::allow;  ///< with flags and the operator's strictness
  policy::Disposition disposition = policy::Disposition::pass;
  MIZAN_FIELDS(verdict, outcome, disposition)
};
/// Pure: the same rule set and case file give the same judgement.
Judgement judge(const policy::RuleSet& rules, const CaseFile& file);

/// What a person is asked about: the rules, and the exchange's own flags, that keep the case from
/// passing but do not block it, each with its outcome after the operator's strictness.
std::map<std::string, policy::Outcome> held_by(const policy::RuleSet& rules, const CaseFile& file,
                                               const Judgement& judgement);

/// Which rule decided: the worst finding, for both sides. It names no party's facts.
struct Spoken {
  std::string rule;  ///< "us.sanctions.embargo", "exchange.same_person"; "" where none spoke
  std::string head;
  std::string outcome;
  std::string sentence;
  std::string missing;  ///< names of facts, where the outcome rests on unknown ones
};
Spoken spoken(const policy::RuleSet& rules, const CaseFile& file, const Judgement& judgement);
/// The answer of `mizan policy check` to the case (policy/answer.hpp), without flags and
/// strictness; facts that `hidden` names are left out.
std::string answer_of(const policy::RuleSet& rules, const CaseFile& file,
                      const Judgement& judgement, policy::Language language,
                      const std::vector<std::string>& hidden);

/// What a verdict's hash is the Keccak-256 of: the rule set, the case file and the judgement.
Bytes hashed_bytes(const Hash32& rule_set, ByteView case_file, const Judgement& judgement);
/// "rule (head): sentence", and what is missing.
std::string note_of(const Spoken& spoken);

/// The lease's record of a judgement. Its hash covers the rule set, `bytes` (the encoded case
/// file) and the judgement.
Verdict record_of(const policy::RuleSet& rules, const CaseFile& file, ByteView bytes,
                  const Judgement& judgement);

/// "exchange.same_person"
std::string_view rule_name(Flag flag);
std::string_view sentence(Flag flag, policy::Language language);

}  // namespace mizan::exchange
