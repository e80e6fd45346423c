#include "mizan/rules.hpp"

#include "mizan/files.hpp"

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
  const fs::path here = context.program.parent_path();
  for (const fs::path& folder : {here / "policy", here / ".." / "share" / "mizan" / "policy",
                                 here / ".." / ".." / "policy"}) {
    std::error_code ignored;
    if (fs::is_directory(folder, ignored)) return folder.lexically_normal();
  }
  return here / "policy";
}

Result<policy::RuleSet> load_rules(const fs::path& folder) {
  std::map<std::string, std::string> files;
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    const fs::path& path = it->path();
    if (path.extension() != ".json") continue;
    auto text = read_small_file(path, kRuleFileBytesMax);
    if (!text) return fail(ErrorCode::invalid_argument, text.error().message);
    files[path.filename().string()] = *std::move(text);
    if (files.size() > kRuleFilesMax) return bad_rules(folder, "has too many rule files");
  }
  if (failed) return bad_rules(folder, failed.message());
  if (files.empty()) return bad_rules(folder, "has no rule file (*.json)");
  auto rules = policy::RuleSet::load(files);
  if (!rules) return fail(std::move(rules).error().with("rules", folder.string()));
  return rules;
}

}  // namespace mizan::cli
