#include "exchange/judge.hpp"

#include "codec/binary.hpp"
#include "crypto/hash.hpp"
#include "policy/answer.hpp"
#include "policy/explain.hpp"
#include "policy/judge.hpp"

#include <algorithm>

namespace mizan::exchange {
namespace {

using policy::Country;
using policy::Disposition;
using policy::Fact;

constexpr std::string_view kHead = "exchange";

Disposition disposition_of(policy::Outcome outcome, bool covered) {
  switch (outcome) {
    case policy::Outcome::prohibited:
      return Disposition::block;
    case policy::Outcome::licence:
      return covered ? Disposition::pass : Disposition::block;
    case policy::Outcome::red_flag:
    case policy::Outcome::insufficient:
      return Disposition::hold;
    case policy::Outcome::notify:
    case policy::Outcome::allow:
      return Disposition::pass;
  }
  return Disposition::block;
}

/// One finding after the operator's strictness.
struct Weighed {
  policy::Outcome outcome = policy::Outcome::allow;
  Disposition disposition = Disposition::pass;
};

Weighed weigh(const CaseFile& file, policy::Outcome outcome, bool covered) {
  const policy::Outcome worse = stricter(file.stricter, outcome);
  return {worse, disposition_of(worse, covered && worse == outcome)};
}

bool exists(const Fact<Country>& fact) {
  return fact.value.code < policy::kCountryCodes;
}

bool countries_exist(const policy::Case& subject) {
  const auto licences =
      std::all_of(subject.licences.value.begin(), subject.licences.value.end(),
                  [](const policy::Licence& licence) { return exists(licence.destination); });
  const auto conditions = std::all_of(
      subject.licence_conditions.value.begin(), subject.licence_conditions.value.end(),
      [](const policy::LicenceCondition& c) { return c.country.code < policy::kCountryCodes; });
  const auto parties = std::all_of(
      subject.parties.value.begin(), subject.parties.value.end(), [](const policy::Party& party) {
        return exists(party.country) && exists(party.hq) && exists(party.parent_hq);
      });
  return licences && conditions && parties && exists(subject.origin) && exists(subject.location) &&
         exists(subject.destination);
}

bool knows(const policy::RuleSet& rules, const Fact<Country>& fact) {
  return !fact.is_known() || rules.country_exists(fact.value);
}

bool knows(const policy::RuleSet& rules, const policy::Case& subject) {
  const auto parties = [&rules](const policy::Party& party) {
    return knows(rules, party.country) && knows(rules, party.hq) && knows(rules, party.parent_hq);
  };
  return knows(rules, subject.origin) && knows(rules, subject.location) &&
         knows(rules, subject.destination) &&
         std::all_of(subject.parties.value.begin(), subject.parties.value.end(), parties);
}

/// Calls `use` with the case as the rule set can read it: letters of no country that it knows are
/// an unknown fact, not a country outside of every group.
template <class Use>
auto with_seen(const policy::RuleSet& rules, const policy::Case& subject, Use use) {
  if (rules.is_empty() || knows(rules, subject)) return use(subject);
  policy::Case seen = subject;
  const auto fix = [&rules](Fact<Country>& fact) {
    if (!knows(rules, fact)) fact.known = policy::Known::unknown;
  };
  fix(seen.origin);
  fix(seen.location);
  fix(seen.destination);
  for (policy::Party& party : seen.parties.value) {
    fix(party.country);
    fix(party.hq);
    fix(party.parent_hq);
  }
  return use(seen);
}

}  // namespace

Result<CaseFile> read_case_file(ByteView bytes) {
  MIZAN_TRY(file, decode<CaseFile>(bytes));
  if (!countries_exist(file.subject) || !exists(file.declared_country))
    return fail(ErrorCode::corrupted, "a case names a country that cannot exist");
  return file;
}

Judgement judge(const policy::RuleSet& rules, const CaseFile& file) {
  Judgement out;
  out.verdict = with_seen(rules, file.subject, [&](const policy::Case& subject) {
    return policy::judge(rules, subject, {file.pending});
  });
  const auto see = [&out](const Weighed& one) {
    out.outcome = std::max(out.outcome, one.outcome);
    out.disposition = std::max(out.disposition, one.disposition);
  };
  see(weigh(file, policy::Outcome::allow, false));
  for (const policy::Finding& finding : out.verdict.findings)
    see(weigh(file, finding.outcome, finding.licence.has_value()));
  if (!file.flags.empty()) see(weigh(file, policy::Outcome::red_flag, false));
  return out;
}

std::map<std::string, policy::Outcome> held_by(const policy::RuleSet& rules, const CaseFile& file,
                                               const Judgement& judgement) {
  std::map<std::string, policy::Outcome> out;
  const auto see = [&out](std::string name, const Weighed& one) {
    if (one.disposition != Disposition::hold) return;
    policy::Outcome& worst = out.try_emplace(std::move(name), one.outcome).first->second;
    worst = std::max(worst, one.outcome);
  };
  for (const policy::Finding& finding : judgement.verdict.findings)
    see(rules.rules()[finding.rule].id, weigh(file, finding.outcome, finding.licence.has_value()));
  for (const Flag flag : file.flags)
    see(std::string(rule_name(flag)), weigh(file, policy::Outcome::red_flag, false));
  return out;
}

Spoken spoken(const policy::RuleSet& rules, const CaseFile& file, const Judgement& judgement) {
  Spoken out;
  out.outcome = to_string(judgement.outcome);
  const policy::Finding* worst = nullptr;
  Weighed most;
  const auto worse = [&most](const Weighed& one) {
    return one.disposition != most.disposition ? one.disposition > most.disposition
                                               : one.outcome > most.outcome;
  };
  for (const policy::Finding& finding : judgement.verdict.findings) {
    const Weighed one = weigh(file, finding.outcome, finding.licence.has_value());
    if (worst != nullptr && !worse(one)) continue;
    worst = &finding;
    most = one;
  }
  if (!file.flags.empty() && worse(weigh(file, policy::Outcome::red_flag, false))) {
    out.rule = rule_name(file.flags.front());
    out.head = kHead;
    out.sentence = sentence(file.flags.front(), policy::Language::en);
    return out;
  }
  if (worst == nullptr) return out;
  const policy::Rule& rule = rules.rules()[worst->rule];
  out.rule = rule.id;
  out.head = to_string(rule.head);
  out.sentence = rule.sentence;
  if (worst->outcome != policy::Outcome::insufficient) return out;
  const auto view = worst->strict ? policy::View::strict : policy::View::values;
  const auto grounds = with_seen(rules, file.subject, [&](const policy::Case& subject) {
    return policy::explain(policy::Facts(rules, subject), rule.when, view);
  });
  for (const std::string& name : grounds.missing)
    out.missing += (out.missing.empty() ? "" : ", ") + name;
  return out;
}

std::string answer_of(const policy::RuleSet& rules, const CaseFile& file,
                      const Judgement& judgement, policy::Language language,
                      const std::vector<std::string>& hidden) {
  return with_seen(rules, file.subject, [&](const policy::Case& subject) {
    return policy::answer_json(rules, subject, judgement.verdict, language, hidden);
  });
}

Bytes hashed_bytes(const Hash32& rule_set, ByteView case_file, const Judgement& judgement) {
  Writer out;
  out.put(rule_set);
  out.put_bytes(case_file);
  out.put(judgement);
  return out.take();
}

std::string note_of(const Spoken& spoken) {
  if (spoken.rule.empty()) return "";
  std::string out = spoken.rule + " (" + spoken.head + "): " + spoken.sentence;
  if (!spoken.missing.empty()) out += " Missing: " + spoken.missing + ".";
  return out;
}

Verdict record_of(const policy::RuleSet& rules, const CaseFile& file, ByteView bytes,
                  const Judgement& judgement) {
  Verdict out;
  out.outcome = to_string(judgement.outcome);
  out.rule_set = rules.hash();
  out.hash = keccak256(hashed_bytes(rules.hash(), bytes, judgement));
  if (judgement.disposition != Disposition::pass)
    out.note = note_of(spoken(rules, file, judgement));
  else if (rules.is_empty())
    out.note = "the rule set is empty: nothing was assessed";
  return out;
}

std::string_view rule_name(Flag flag) {
  switch (flag) {
    case Flag::declared_country:
      return "exchange.declared_country";
    case Flag::same_person:
      return "exchange.same_person";
    case Flag::device_memory:
      return "exchange.device_memory";
  }
  return "";
}

std::string_view sentence(Flag flag, policy::Language language) {
  const bool arabic = language == policy::Language::ar;
  switch (flag) {
    case Flag::declared_country:
      return arabic ? "يصرّح العرض ببلد غير البلد الوارد في شهادة المشتري، والعبرة بالشهادة."
                    : "The bid declares another country than the buyer's credential, which counts.";
    case Flag::same_person:
      return arabic ? "المشتري والمزوّد، أو من يُدفع له معه، مفتاحان لشخص واحد."
                    : "Buyer and provider, or one paid with it, are keys of one person.";
    case Flag::device_memory:
      return arabic ? "الذاكرة المقيسة للجهاز ليست ذاكرة الرقاقة المسمّاة."
                    : "The measured memory of a device is not that of the chip that is named.";
  }
  return "";
}

}  // namespace mizan::exchange
