#include "policy/diff.hpp"

#include "policy/explain.hpp"

#include <set>

namespace mizan::policy {
namespace {

std::string class_of(const Side& side, const std::string& chip) {
  if (side.rules.chip(chip) == nullptr) return "absent";
  Case subject;
  subject.date = side.day.value_or(kLastDay);
  Item item;
  item.name = chip;
  subject.item = Fact<Item>::of(std::move(item));
  return class_name(side.rules, Facts(side.rules, subject).classes(Evidence::self_declared));
}

Verdict judged(const Side& side, const Case& subject) {
  if (!side.day || *side.day == subject.date) return judge(side.rules, subject, side.options);
  Case other = subject;
  other.date = *side.day;
  return judge(side.rules, other, side.options);
}

std::string_view to_string(Disposition value) {
  switch (value) {
    case Disposition::pass:
      return "pass";
    case Disposition::hold:
      return "hold";
    case Disposition::block:
      return "block";
  }
  return "";
}

std::string side_json(const Side& side) {
  return "{\"ruleset\":" + quoted(side.rules.hash_text()) +
         ",\"day\":" + (side.day ? quoted(to_string(*side.day)) : "null") +
         ",\"pending\":" + (side.options.pending ? "true" : "false") + "}";
}

}  // namespace

Difference compare(const Side& before, const Side& after, std::span<const Case> cases) {
  Difference out;
  out.cases = cases.size();
  std::set<std::string> names;
  for (const RuleSet* rules : {&before.rules, &after.rules})
    for (const Chip& chip : rules->chips()) names.insert(chip.name);
  for (const std::string& name : names) {
    std::string was = class_of(before, name);
    std::string is = class_of(after, name);
    if (was != is) out.chips.push_back({name, std::move(was), std::move(is)});
  }
  for (size_t i = 0; i < cases.size(); ++i) {
    const Verdict was = judged(before, cases[i]);
    const Verdict is = judged(after, cases[i]);
    const Disposition did = disposition(was);
    const Disposition does = disposition(is);
    if (was.outcome == is.outcome && did == does) continue;
    out.flips.push_back(
        {i, cases[i].id, was.outcome, is.outcome, did, does,
         is.findings.empty() ? "" : after.rules.rules()[is.findings.front().rule].id});
  }
  return out;
}

std::string difference_json(const Side& before, const Side& after, const Difference& difference) {
  std::string chips;
  for (const ChipChange& change : difference.chips)
    chips += (chips.empty() ? "" : ",") + ("{\"chip\":" + quoted(change.chip)) +
             ",\"before\":" + quoted(change.before) + ",\"after\":" + quoted(change.after) + "}";
  std::string flips;
  for (const Flip& flip : difference.flips)
    flips += (flips.empty() ? "" : ",") + ("{\"id\":" + quoted(flip.id)) +
             ",\"before\":" + quoted(policy::to_string(flip.before)) +
             ",\"after\":" + quoted(policy::to_string(flip.after)) +
             ",\"was\":" + quoted(to_string(flip.was)) + ",\"is\":" + quoted(to_string(flip.is)) +
             ",\"rule\":" + quoted(flip.rule) + "}";
  return "{\"before\":" + side_json(before) + ",\"after\":" + side_json(after) + ",\"chips\":[" +
         chips + "],\"cases\":" + std::to_string(difference.cases) + ",\"flips\":[" + flips + "]}";
}

}  // namespace mizan::policy
