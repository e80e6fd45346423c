// What an exchange is told of policy at its start: folders of rules, an issuer for demonstrations.
#include "credential/jose.hpp"
#include "service/program.hpp"

#include <fstream>

namespace mizan::service {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFileBytes = 16 << 20;
constexpr size_t kMostFiles = 1000;

tl::unexpected<Error> bad(const std::string& field, const fs::path& place, const std::string& why) {
  return fail(Error{ErrorCode::invalid_argument, place.string() + ": " + why, {{"field", field}}});
}

Result<std::string> read_text(const fs::path& file, const std::string& field) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  const auto size = in ? static_cast<std::streamoff>(in.tellg()) : -1;
  if (size < 0) return bad(field, file, "cannot be read");
  if (static_cast<uint64_t>(size) > kMostFileBytes) return bad(field, file, "is over 16 MiB");
  std::string text(static_cast<size_t>(size), '\0');
  in.seekg(0);
  if (!in.read(text.data(), size)) return bad(field, file, "cannot be read");
  return text;
}

Result<void> read_folder(const fs::path& folder, std::map<std::string, std::string>& files) {
  std::error_code failed;
  const size_t before = files.size();
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    if (it->path().extension() != ".json") continue;
    if (files.size() == kMostFiles) return bad("rules", folder, "has too many rule files");
    MIZAN_TRY(text, read_text(it->path(), "rules"));
    files[it->path().string()] = std::move(text);
  }
  if (failed) return bad("rules", folder, failed.message());
  if (files.size() == before) return bad("rules", folder, "has no rule file (*.json)");
  return {};
}

}  // namespace

Result<std::shared_ptr<const policy::RuleSet>> load_rules(const std::vector<fs::path>& folders) {
  std::map<std::string, std::string> files;
  for (const fs::path& folder : folders) MIZAN_CHECK(read_folder(folder, files));
  MIZAN_TRY(rules, policy::RuleSet::load(files));
  return std::make_shared<const policy::RuleSet>(std::move(rules));
}

Result<std::map<std::string, std::string>> read_development_issuer(const std::string& jwk_or_file) {
  const std::string field = "development_issuer";
  std::string text = jwk_or_file;
  if (!text.starts_with('{')) {
    MIZAN_TRY(read, read_text(jwk_or_file, field));
    text = std::move(read);
  }
  const auto value = parse_json(text, {}, field);
  if (!value) return bad(field, jwk_or_file, value.error().message);
  const auto key = credential::parse_jwk(*value, field);
  if (!key || !std::holds_alternative<credential::P256Key>(*key))
    return bad(field, jwk_or_file, "is not the public key of an issuer (P-256) as a JWK");
  MIZAN_TRY(jwk, canonical_json(credential::to_jwk(*key)));
  return std::map<std::string, std::string>{{std::string(kDevelopmentIssuer), std::move(jwk)}};
}

}  // namespace mizan::service
