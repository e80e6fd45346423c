#include "simulation/rules.hpp"

#include "support/policy_world.hpp"

namespace mizan::simulation {
namespace {

std::shared_ptr<const policy::RuleSet> make_rules(bool narrow) {
  std::map<std::string, std::string> files;
  for (const char* name : {"items.json", "places.json"})
    files[name] = test::shipped_files().at(name);
  // The simulated machines have none of the chips, and every start of an exchange reads all.
  files["chips.json"] = R"({"format":"mizan.policy.1","chips":[]})";
  files["a.json"] = test::one_rule(
      "op.country", R"({"party":["buyer"],"facts":["country"],"in":["KP"]})", "LICENCE");
  files["b.json"] = test::one_rule("op.units", narrow ? R"({"fact":"units","at_least":3})"
                                                      : R"({"fact":"units","at_least":12})");
  files["d.json"] = test::one_rule("op.listed", R"({"party":"any","listed":"licence"})");
  files["e.json"] =
      test::one_rule("op.blocked", R"({"party":"any","listed":"block"})", "PROHIBITED");
  auto rules = policy::RuleSet::load(files);
  if (!rules) test::give_up(rules.error().message);
  return std::make_shared<const policy::RuleSet>(*std::move(rules));
}

}  // namespace

const std::array<std::shared_ptr<const policy::RuleSet>, 2>& simulated_rule_sets() {
  static const std::array kSets = {make_rules(false), make_rules(true)};
  return kSets;
}

exchange::RuleSets simulated_rules() {
  exchange::RuleSets out;
  for (const auto& rules : simulated_rule_sets()) out.emplace(rules->hash(), rules);
  return out;
}

}  // namespace mizan::simulation
