// What holds for every case: knowledge, units, evidence and order.
// SPDX-License-Identifier: Apache-2.0
#include "codec/json_fields.hpp"
#include "policy/answer.hpp"
#include "policy/case_files.hpp"
#include "policy/case_json.hpp"
#include "support/seed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace mizan::test {
namespace {

using policy::Case;
using policy::Verdict;

std::filesystem::path rules_path() {
  return std::filesystem::path(MIZAN_SOURCE_DIR) / "policy";
}

// The repository's rules and an operator's own limits on top of them.
std::map<std::string, std::string> rule_files() {
  auto files = read_folder(rules_path());
  files["operator.json"] = R"({"format": "mizan.policy.1", "rules": [
    {"rule": "op.units", "head": "end_use", "jurisdiction": "US", "from": null, "until": null,
     "in_text": true, "enforced": true, "min_evidence": "self_declared", "unverified": false,
     "citation": "the operator's terms", "sentence": "More than 1000 units need a person.",
     "when": {"all": [{"fact": "units", "above": 1000},
                      {"party": ["buyer"], "facts": ["parent_hq"], "in": ["@D:5 and MO"]}]},
     "outcome": "RED_FLAG"},
    {"rule": "op.work", "head": "end_use", "jurisdiction": "US", "from": null, "until": null,
     "in_text": true, "enforced": true, "min_evidence": "self_declared", "unverified": false,
     "citation": "the operator's terms", "sentence": "Very large training needs a person.",
     "when": {"fact": "training_work", "at_least": 100000000}, "outcome": "RED_FLAG"}]})";
  return files;
}

const policy::RuleSet& rules() {
  static const policy::RuleSet set = [] {
    auto loaded = policy::RuleSet::load(rule_files());
    EXPECT_TRUE(loaded.has_value()) << (loaded ? "" : loaded.error().message);
    return *std::move(loaded);
  }();
  return set;
}

// Random cases: the case files' facts, mixed.
class Mixer {
 public:
  explicit Mixer(uint64_t seed) : random_(seed), cases_(read_cases()) {}

  size_t below(size_t limit) {
    return std::uniform_int_distribution<size_t>(0, limit - 1)(random_);
  }
  bool chance(size_t of) { return below(of) == 0; }
  std::mt19937_64& random() { return random_; }

  // A case with each fact taken from some file case, some of them left out.
  json::object facts() {
    json::object mixed = cases_[below(cases_.size())].facts.as_object();
    for (int i = 0; i < 4; ++i) {
      const json::object& other = cases_[below(cases_.size())].facts.as_object();
      const auto member = other.begin() + static_cast<ptrdiff_t>(below(other.size()));
      if (member->key() != "parties") mixed[member->key()] = member->value();
    }
    if (const json::value* parties = mixed.if_contains("parties"); parties && chance(2)) {
      const json::object& other = cases_[below(cases_.size())].facts.as_object();
      if (const json::value* more = other.if_contains("parties"))
        for (const json::value& party : more->as_array())
          mixed["parties"].as_array().push_back(party);
    }
    if (chance(4)) mixed["group_units"] = 1 + below(3000);
    if (!chance(8)) mixed["training_work"] = 1 + below(200'000'000);
    while (chance(3)) remove_one(mixed);
    while (chance(3)) weaken_one(mixed);
    return mixed;
  }

  // Some member of the case or of a party, but for date and role.
  std::pair<json::object*, std::string> place(json::object& facts) {
    json::object* owner = &facts;
    json::value* parties = facts.if_contains("parties");
    if (parties != nullptr && !parties->as_array().empty() && chance(2))
      owner = &parties->as_array()[below(parties->as_array().size())].as_object();
    std::vector<std::string> keys;
    for (const auto& member : *owner)
      if (member.key() != "date" && member.key() != "role" && member.key() != "id")
        keys.emplace_back(member.key());
    if (keys.empty()) return {owner, ""};
    return {owner, keys[below(keys.size())]};
  }

  void remove_one(json::object& facts) {
    const auto [owner, key] = place(facts);
    if (!key.empty()) owner->erase(key);
  }
  void weaken_one(json::object& facts) {
    const auto [owner, key] = place(facts);
    if (key.empty() || key == "parties") return;
    const json::value value = owner->at(key);
    if (value.is_object() && value.as_object().contains("value")) return;
    constexpr const char* kWords[] = {"self_declared", "credential", "measured"};
    (*owner)[key] = {{"value", value}, {"evidence", kWords[below(3)]}};
  }
  // Takes some of the facts that carry a strength for proven.
  void prove_some(json::object& facts) {
    const auto prove = [this](json::object& owner) {
      for (auto& member : owner) {
        json::value& fact = member.value();
        if (!fact.is_object() || !fact.as_object().contains("value") || chance(4)) continue;
        const json::value value = fact.at("value");
        fact = value;
      }
    };
    prove(facts);
    json::value* parties = facts.if_contains("parties");
    if (parties == nullptr) return;
    for (json::value& party : parties->as_array()) prove(party.as_object());
  }

 private:
  std::mt19937_64 random_;
  std::vector<FileCase> cases_;
};

Case read(const json::object& facts) {
  auto subject = policy::read_case(rules(), facts, "case");
  EXPECT_TRUE(subject.has_value()) << (subject ? "" : subject.error().message) << json_text(facts);
  return subject ? *subject : Case{};
}

std::string answer(const json::object& facts, bool pending) {
  const Case subject = read(facts);
  return policy::answer_json(rules(), subject, policy::judge(rules(), subject, {pending}));
}

Verdict judged(const json::object& facts, bool pending) {
  return policy::judge(rules(), read(facts), {pending});
}

constexpr int kRounds = 5000;

TEST(PolicyProperty, KnowingAFactThatNoFindingMissesChangesNothing) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  Mixer mixer(seed);
  int tried = 0;
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    json::object known = mixer.facts();
    json::object unknown = known;
    const auto [owner, key] = mixer.place(unknown);
    // Three facts have a meaning where they are absent: the deal's own units stand for the group's
    // total, the chip table's column for datacenter_marketed, and a lease has no destination.
    if (key == "destination" || key == "datacenter_marketed") continue;
    if (key.empty() || key == "parties" || key == "chip" || key == "group_units") continue;
    const json::value value = owner->at(key);
    owner->erase(key);
    const bool pending = mixer.chance(3);
    const json::value before = parse_exact(answer(unknown, pending));
    bool named = false;
    for (const json::value& finding : before.at("findings").as_array())
      for (const json::value& name : finding.at("missing").as_array())
        named = named || std::string_view(name.as_string()).starts_with(key);
    if (named || key == "licences") continue;
    ++tried;
    // What makes a rule true is enough; another fact can add to it only where a rule asked.
    const json::value after = parse_exact(answer(known, pending));
    EXPECT_EQ(before.at("verdict"), after.at("verdict"))
        << key << " in " << json_text(known) << '\n'
        << json_text(before);
  }
  EXPECT_GT(tried, kRounds / 10);
}

TEST(PolicyProperty, AnUndecidedFindingNamesWhatIsMissing) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  Mixer mixer(seed);
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    const json::object facts = mixer.facts();
    const json::value told = parse_exact(answer(facts, mixer.chance(3)));
    for (const json::value& finding : told.at("findings").as_array())
      EXPECT_NE(finding.at("outcome").as_string() == "INSUFFICIENT" &&
                    finding.at("missing").as_array().empty(),
                true)
          << json_text(facts);
  }
}

TEST(PolicyProperty, MoreUnitsNeverMakeItMilder) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  Mixer mixer(seed);
  int worse = 0;
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    Case subject = read(mixer.facts());
    const bool pending = mixer.chance(3);
    const uint64_t units = 1 + mixer.below(1500);
    subject.units = policy::Fact<uint64_t>::of(units);
    subject.group_units = {};
    subject.training_work = policy::Fact<uint64_t>::of(1 + mixer.below(150'000'000));
    const Verdict few = policy::judge(rules(), subject, {pending});
    subject.units.value += 1 + mixer.below(1500);
    subject.training_work.value += mixer.below(150'000'000);
    const Verdict many = policy::judge(rules(), subject, {pending});
    EXPECT_GE(many.outcome, few.outcome) << subject.id;
    EXPECT_GE(policy::disposition(many), policy::disposition(few)) << subject.id;
    if (many.outcome > few.outcome) ++worse;
    // The group's total stands in for the deal's units.
    subject.group_units = policy::Fact<uint64_t>::of(subject.units.value + mixer.below(1500));
    EXPECT_GE(policy::judge(rules(), subject, {pending}).outcome, many.outcome) << subject.id;
  }
  EXPECT_GT(worse, 0);
}

TEST(PolicyProperty, StrongerEvidenceNeverMakesItWorse) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  Mixer mixer(seed);
  int milder = 0;
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    json::object weak = mixer.facts();
    for (int i = 0; i < 3; ++i) mixer.weaken_one(weak);
    json::object strong = weak;
    mixer.prove_some(strong);
    const bool pending = mixer.chance(3);
    const Verdict before = judged(weak, pending);
    const Verdict after = judged(strong, pending);
    EXPECT_LE(after.outcome, before.outcome) << json_text(weak);
    if (after.outcome == before.outcome) {
      EXPECT_LE(after.review, before.review) << json_text(weak);
    }
    EXPECT_LE(policy::disposition(after), policy::disposition(before)) << json_text(weak);
    if (after.outcome < before.outcome) ++milder;
  }
  EXPECT_GT(milder, 0);
}

TEST(PolicyProperty, OrderDoesNotMatter) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  Mixer mixer(seed);
  // The same rules in other files, each section in another order.
  std::map<std::string, std::string> shuffled;
  int file = 0;
  for (const auto& [name, text] : rule_files()) {
    const json::value document = parse_exact(text);
    for (const auto& section : document.as_object()) {
      if (section.key() == "format") continue;
      std::vector<json::value> elements(section.value().as_array().begin(),
                                        section.value().as_array().end());
      std::shuffle(elements.begin(), elements.end(), mixer.random());
      json::object one{{"format", "mizan.policy.1"}};
      one[section.key()] = json::array(elements.begin(), elements.end());
      shuffled[std::to_string(mixer.below(1'000'000)) + "-" + std::to_string(file++)] =
          json_text(one);
    }
  }
  const auto other = policy::RuleSet::load(shuffled);
  ASSERT_TRUE(other.has_value()) << other.error().message;
  EXPECT_EQ(other->hash(), rules().hash());
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    json::object facts = mixer.facts();
    const bool pending = mixer.chance(3);
    const std::string before = answer(facts, pending);
    EXPECT_EQ(before, answer(facts, pending));
    json::object turned;
    std::vector<std::string> keys;
    for (const auto& member : facts) keys.emplace_back(member.key());
    std::shuffle(keys.begin(), keys.end(), mixer.random());
    for (const std::string& key : keys) {
      turned[key] = facts.at(key);
      if (!turned[key].is_array()) continue;
      json::array& list = turned[key].as_array();
      std::vector<json::value> entries(list.begin(), list.end());
      std::shuffle(entries.begin(), entries.end(), mixer.random());
      list = json::array(entries.begin(), entries.end());
    }
    EXPECT_EQ(before, answer(turned, pending)) << json_text(facts);
    const Case subject = read(turned);
    EXPECT_EQ(before,
              policy::answer_json(*other, subject, policy::judge(*other, subject, {pending})));
  }
}

TEST(PolicyProperty, CanonicalTextLoadsAsTheSameRuleSet) {
  const auto again = policy::RuleSet::load({{"kept", rules().canonical()}});
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->hash(), rules().hash());
  EXPECT_EQ(again->canonical(), rules().canonical());
}

}  // namespace
}  // namespace mizan::test
