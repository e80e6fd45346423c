#include "mizan/rules.hpp"

#include "mizan/files.hpp"

#include <cstdlib>

namespace mizan::cli {
namespace {

constexpr size_t kRuleFileBytesMax = 16 << 20;
constexpr size_t kRuleFilesMax = 1000;

tl::unexpected<Error> bad_rules(const fs::path& place, const std::string& why) {
  return fail(
      Error{ErrorCode::invalid_argument, place.string() + ": " + why, {{"field", "--rules"}}});
}

}  // namespace

fs::path shipped_rules(const Context& context) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread sets the environment
  if (const char* set = std::getenv("MIZAN_RULES"); set != nullptr && *set != 0) return set;
  const fs::path here = context.program.parent_path();
  for (const fs::path& folder :
       {here / "policy", here / ".." / "share" / "mizan" / "policy", here / ".." / ".." / "policy",
        fs::path("/usr/share/mizan/policy")}) {
    std::error_code ignored;
    if (fs::is_directory(folder, ignored)) return folder.lexically_normal();
  }
  return here / "policy";
}

Result<std::map<std::string, std::string>> read_rule_files(const std::vector<fs::path>& folders) {
  std::map<std::string, std::string> files;
  for (size_t i = 0; i < folders.size(); ++i) {
    std::error_code failed;
    size_t found = 0;
    for (fs::directory_iterator it(folders[i], failed), end; !failed && it != end;
         it.increment(failed)) {
      const fs::path& path = it->path();
      if (path.extension() != ".json") continue;
      auto text = read_small_file(path, kRuleFileBytesMax);
      if (!text) return fail(ErrorCode::invalid_argument, text.error().message);
      std::string name = path.filename().string();
      if (files.contains(name)) name = std::to_string(i + 1) + "/" + name;
      files[name] = *std::move(text);
      ++found;
      if (files.size() > kRuleFilesMax) return bad_rules(folders[i], "has too many rule files");
    }
    if (failed) return bad_rules(folders[i], failed.message());
    if (found == 0) return bad_rules(folders[i], "has no rule file (*.json)");
  }
  return files;
}

Result<policy::RuleSet> load_rules(const std::vector<fs::path>& folders) {
  MIZAN_TRY(files, read_rule_files(folders));
  auto rules = policy::RuleSet::load(files);
  if (!rules) {
    std::string named;
    for (const fs::path& folder : folders) named += (named.empty() ? "" : ", ") + folder.string();
    return fail(std::move(rules).error().with("rules", named));
  }
  return rules;
}

}  // namespace mizan::cli
