#include "service/rule_store.hpp"

#include "crypto/private_file.hpp"
#include "service/files.hpp"

namespace mizan::service {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMostBytes = 16 << 20;

tl::unexpected<Error> bad(const fs::path& file, const std::string& why) {
  return fail(Error{
      ErrorCode::corrupted,
      "the rule set " + file.string() + " " + why + ": put the one back that was kept there",
      {}}.with("place", file.string()));
}

}  // namespace

std::optional<Hash32> parse_rule_set_name(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  const auto hash = text.starts_with(kPrefix)
                        ? parse_fixed<Hash32>("0x" + std::string(text.substr(kPrefix.size())))
                        : parse_fixed<Hash32>(text);
  return hash ? std::optional(*hash) : std::nullopt;
}

fs::path RuleStore::file(const Hash32& hash) const {
  return folder_ / (hex(hash.view()) + ".json");
}

Result<std::unique_ptr<RuleStore>> RuleStore::open(fs::path folder) {
  std::unique_ptr<RuleStore> out(new RuleStore(std::move(folder)));
  std::error_code failed;
  if (!fs::exists(out->folder_, failed)) return out;
  for (fs::directory_iterator it(out->folder_, failed), end; !failed && it != end;
       it.increment(failed)) {
    const fs::path& path = it->path();
    if (path.extension() != ".json") continue;  // what a crash left of a write
    MIZAN_TRY(text, read_private_file(path.string(), kMostBytes));
    auto rules = policy::RuleSet::load({{path.filename().string(), std::move(text)}});
    if (!rules) return bad(path, "does not load (" + rules.error().message + ")");
    if (out->file(rules->hash()) != path) return bad(path, "is another than its name says");
    auto shared = std::make_shared<const policy::RuleSet>(*std::move(rules));
    out->kept_.emplace(shared->hash(), std::move(shared));
  }
  if (failed)
    return fail(ErrorCode::io_error,
                "cannot read " + out->folder_.string() + ": " + failed.message());
  return out;
}

Result<bool> RuleStore::keep(std::shared_ptr<const policy::RuleSet> rules) {
  const std::lock_guard lock(mutex_);
  if (kept_.contains(rules->hash())) return false;
  if (kept_.size() >= kMost)
    return fail(ErrorCode::limit_exceeded, "the exchange keeps 256 rule sets, which is the most");
  MIZAN_CHECK(make_folder(folder_));
  MIZAN_CHECK(write_private_file(file(rules->hash()).string(), as_bytes(rules->canonical())));
  kept_.emplace(rules->hash(), std::move(rules));
  return true;
}

exchange::RuleSets RuleStore::all() const {
  const std::lock_guard lock(mutex_);
  return kept_;
}

std::shared_ptr<const policy::RuleSet> RuleStore::find(const Hash32& hash) const {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(hash);
  return found == kept_.end() ? nullptr : found->second;
}

}  // namespace mizan::service
