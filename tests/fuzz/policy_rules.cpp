// Rule files: refused with their place, or a rule set that its own canonical text gives again.
#include "fuzz/fuzz.hpp"
#include "policy/answer.hpp"
#include "policy/rules_folder.hpp"

using namespace mizan;

namespace {

void load(const std::map<std::string, std::string>& files) {
  const auto rules = policy::RuleSet::load(files);
  if (!rules) {
    ensure(!rules.error().message.empty(), "a refused rule file says why");
    return;
  }
  const auto again = policy::RuleSet::load({{"all.json", rules->canonical()}});
  ensure(again.has_value(), again ? "" : again.error().message);
  ensure(again->hash() == rules->hash() && again->canonical() == rules->canonical(),
         "a rule set's canonical text is that rule set");
  policy::status_json(*rules);
  policy::judge(*rules, policy::Case{});
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto kShipped =
      test::read_folder(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  const std::string text(fuzz::text_of(data, size));
  load({{"own.json", text}});
  // An operator's rules stand on the shipped tables.
  auto files = std::map<std::string, std::string>{{"own.json", text}};
  for (const char* name : {"chips.json", "items.json", "places.json"})
    files[name] = kShipped.at(name);
  load(files);
  return 0;
}
