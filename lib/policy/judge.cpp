#include "policy/judge.hpp"

#include "base/checked.hpp"
#include "policy/facts.hpp"
#include "policy/words.hpp"

#include <algorithm>
#include <set>

namespace mizan::policy {
namespace {

Outcome outcome_if(const Rule& rule, Truth truth) {
  switch (truth) {
    case Truth::no:
      return Outcome::allow;
    case Truth::unknown:
      return rule.outcome == Outcome::allow ? Outcome::allow : Outcome::insufficient;
    case Truth::yes:
      return rule.outcome;
  }
  return Outcome::insufficient;
}

// The worst of the reviews that are possible.
Review review_of(const Facts& facts, const Rule& rule, View view) {
  Review worst = Review::none;
  for (const ReviewBranch& branch : rule.reviews) {
    const Truth holds = facts.evaluate(branch.when, view);
    if (holds != Truth::no) worst = std::max(worst, branch.review);
    if (holds == Truth::yes) break;
  }
  return worst;
}

// Whether a licence names this deal, for one who accepts no evidence weaker than `least`: neither
// of the licence nor of what it is held against.
bool covers(const Licence& licence, const Facts& facts, Evidence least) {
  const Case& subject = facts.subject();
  const auto fits = [least](const auto& limit, auto&& holds) {
    const Known known = limit.seen(least);
    return known == Known::not_applicable || (known == Known::known && holds(limit.value));
  };
  if (licence.number.seen(least) != Known::known || licence.number.value.empty()) return false;
  // What stays where it is has no destination: there the place counts.
  const Fact<Country>& destination = facts.destination();
  const Fact<Country>& where =
      destination.seen(least) == Known::not_applicable ? subject.location : destination;
  const auto seen = [least](const auto& fact) { return fact.seen(least) == Known::known; };
  const auto names_party = [&](const std::string& named) {
    return seen(subject.parties) &&
           std::any_of(
               subject.parties.value.begin(), subject.parties.value.end(), [&](const Party& party) {
                 return (!party.id.empty() && party.id == named) || to_string(party.role) == named;
               });
  };
  return fits(licence.expires, [&](Date last) { return subject.date <= last; }) &&
         fits(licence.chip,
              [&](const std::string& chip) {
                return seen(facts.item().name) && facts.item().name.value == chip;
              }) &&
         fits(licence.units,
              [&](uint64_t most) { return seen(facts.units()) && facts.units().value <= most; }) &&
         fits(licence.destination,
              [&](Country country) {
                return seen(where) &&
                       (where.value == country || facts.rules().whole(where.value) == country);
              }) &&
         fits(licence.party, names_party);
}

// The covering licence whose number comes first, whatever the order on file.
std::optional<uint32_t> covering(const Facts& facts, Evidence least) {
  const auto& licences = facts.subject().licences;
  if (licences.seen(least) != Known::known) return std::nullopt;
  std::optional<uint32_t> best;
  for (uint32_t i = 0; i < licences.value.size(); ++i) {
    if (!covers(licences.value[i], facts, least)) continue;
    if (!best || licences.value[i].number.value < licences.value[*best].number.value) best = i;
  }
  return best;
}

bool in_window(const Rule& rule, Date date) {
  return rule.from <= date && date <= rule.until;
}

void set_figures(const Facts& facts, Verdict& verdict) {
  const ItemFacts& item = facts.item();
  if (!item.tpp.is_known()) return;
  const i128 tpp = item.tpp.value.nano;
  verdict.tpp = static_cast<uint64_t>((tpp + kNano / 2) / kNano);
  if (!item.die_mm2.is_known() || item.die_mm2.value.nano == 0) return;
  const i128 die = item.die_mm2.value.nano;
  verdict.pd_hundredths = static_cast<uint64_t>((tpp * 200 + die) / (die * 2));
}

}  // namespace

Verdict judge(const RuleSet& rules, const Case& subject, const Options& options) {
  const Facts facts(rules, subject);
  Verdict verdict;
  verdict.findings.reserve(8);
  uint32_t spoken = 0;  // heads of which some rule spoke
  const auto add = [&](uint32_t place, Outcome outcome, bool strict) -> Finding& {
    verdict.findings.push_back(
        {place, rules.rules()[place].head, outcome, Review::none, strict, std::nullopt});
    spoken |= uint32_t{1} << static_cast<uint32_t>(rules.rules()[place].head);
    return verdict.findings.back();
  };
  for (uint32_t i = 0; i < rules.rules().size(); ++i) {
    const Rule& rule = rules.rules()[i];
    if (rule.otherwise || !in_window(rule, subject.date)) continue;
    if (!(rule.in_text && rule.enforced) && !options.pending) continue;
    const Truth values = facts.evaluate(rule.when, View::values);
    const bool weak = facts.weakest() < rule.most_asked;
    const Truth strict = weak ? facts.evaluate(rule.when, View::strict) : values;
    const Outcome at_value = outcome_if(rule, values);
    const Outcome at_unknown = outcome_if(rule, strict);
    const Outcome worst = std::max(at_value, at_unknown);
    if (rule.outcome == Outcome::allow) {
      if (strict == Truth::yes) add(i, Outcome::allow, weak);
      continue;
    }
    if (worst == Outcome::allow) continue;
    Finding& finding = add(i, worst, at_unknown > at_value);
    if (worst != Outcome::licence) continue;
    finding.review = review_of(facts, rule, View::values);
    if (weak) finding.review = std::max(finding.review, review_of(facts, rule, View::strict));
    finding.licence = covering(facts, rule.least);
  }
  for (uint32_t i = 0; i < rules.rules().size(); ++i) {
    const Rule& rule = rules.rules()[i];
    if (!rule.otherwise || !in_window(rule, subject.date)) continue;
    if (((spoken >> static_cast<uint32_t>(rule.head)) & 1) != 0) continue;
    if (!(rule.in_text && rule.enforced) && !options.pending) continue;
    if (facts.evaluate(rule.when, View::strict) == Truth::yes) add(i, Outcome::allow, true);
  }
  std::sort(verdict.findings.begin(), verdict.findings.end(),
            [](const Finding& a, const Finding& b) {
              return a.outcome != b.outcome ? a.outcome > b.outcome : a.rule < b.rule;
            });
  if (!verdict.findings.empty()) verdict.outcome = verdict.findings.front().outcome;
  if (verdict.outcome == Outcome::licence)
    for (const Finding& finding : verdict.findings)
      verdict.review = std::max(verdict.review, finding.review);
  verdict.classes = facts.classes(Evidence::self_declared);
  set_figures(facts, verdict);
  return verdict;
}

std::vector<std::string> not_assessed(const RuleSet& rules, const Case& subject) {
  std::set<std::string> missing;
  const auto see = [&](const Fact<Country>& fact) {
    if (!fact.is_known()) return;
    std::string jurisdiction = rules.jurisdiction_of(fact.value);
    if (!rules.has_jurisdiction(jurisdiction)) missing.insert(std::move(jurisdiction));
  };
  see(subject.origin);
  see(subject.location);
  see(subject.destination);
  for (const Party& party : subject.parties.value) {
    see(party.country);
    see(party.hq);
    see(party.parent_hq);
  }
  return {missing.begin(), missing.end()};
}

std::string class_name(const RuleSet& rules, uint32_t classes) {
  if (classes == 1) return "none";
  for (const ItemClass& item_class : rules.classes())
    if (classes == uint32_t{1} << item_class.rank) return item_class.name;
  return "unknown";
}

Result<uint64_t> training_work(const RuleSet& rules, std::string_view chip, uint64_t units,
                               uint64_t seconds) {
  const Chip* found = rules.chip(chip);
  if (found == nullptr)
    return fail(ErrorCode::not_found, "the chip table has no " + std::string(chip));
  int64_t peak = 0;
  for (const auto* rate : {&found->figures.dense16, &found->figures.dense8, &found->figures.dense6,
                           &found->figures.dense4})
    if (rate->is_known()) peak = std::max(peak, rate->value.nano);
  if (peak == 0)
    return fail(ErrorCode::not_found, "the chip table has no rate for " + std::string(chip));
  MIZAN_TRY(unit_seconds, checked_mul(units, seconds));
  return checked_mul(unit_seconds, static_cast<uint64_t>((peak + kNano - 1) / kNano));
}

Disposition disposition(const Verdict& verdict) {
  Disposition worst = Disposition::pass;
  for (const Finding& finding : verdict.findings) {
    Disposition one = Disposition::pass;
    if (finding.outcome == Outcome::prohibited ||
        (finding.outcome == Outcome::licence && !finding.licence))
      one = Disposition::block;
    else if (finding.outcome == Outcome::red_flag || finding.outcome == Outcome::insufficient)
      one = Disposition::hold;
    worst = std::max(worst, one);
  }
  return worst;
}

Outcome outcome_of(const Verdict& verdict, Head head) {
  Outcome worst = Outcome::allow;
  for (const Finding& finding : verdict.findings)
    if (finding.head == head) worst = std::max(worst, finding.outcome);
  return worst;
}

std::string_view to_string(Evidence value) {
  return kEvidenceWords[static_cast<size_t>(value)];
}
std::string_view to_string(Operation value) {
  return kOperationWords[static_cast<size_t>(value)];
}
std::string_view to_string(EndUse value) {
  return kEndUseWords[static_cast<size_t>(value)];
}
std::string_view to_string(Role value) {
  return kRoleWords[static_cast<size_t>(value)];
}
std::string_view to_string(ListEffect value) {
  return kEffectWords[static_cast<size_t>(value)];
}
std::string_view to_string(Outcome value) {
  return kOutcomeWords[static_cast<size_t>(value)];
}
std::string_view to_string(Review value) {
  return kReviewWords[static_cast<size_t>(value)];
}
std::string_view to_string(Head value) {
  return kHeadWords[static_cast<size_t>(value)];
}

}  // namespace mizan::policy
