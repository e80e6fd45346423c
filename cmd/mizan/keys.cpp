#include "mizan/keys.hpp"

#include "base/nearest.hpp"
#include "crypto/address.hpp"
#include "crypto/random.hpp"
#include "mizan/settings.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mizan::cli {
namespace {

Result<void> check_key_name(const std::string& name) {
  const bool fits = !name.empty() && name.size() <= 64 && name[0] != '.' &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                    });
  if (fits) return {};
  return fail(Error{ErrorCode::invalid_argument,
                    "a key's name has 1 to 64 letters, digits, '-', '_' or '.'",
                    {{"field", "name"}}});
}

}  // namespace

Result<std::vector<KeyEntry>> list_keys(const fs::path& home) {
  std::vector<KeyEntry> entries;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(home / "keys", error)) {
    if (file.path().extension() != ".json") continue;
    MIZAN_TRY(text, read_small_file(file.path(), 64 << 10));
    auto address = keystore_address(text);
    if (!address)
      return fail(address.error().code,
                  fmt::format("{}: {}", file.path().string(), address.error().message));
    entries.push_back({file.path().stem().string(), *address, file.path()});
  }
  std::sort(entries.begin(), entries.end(),
            [](const KeyEntry& a, const KeyEntry& b) { return a.name < b.name; });
  return entries;
}

Result<KeyEntry> choose_key(const Context& context) {
  MIZAN_TRY(entries, list_keys(context.home));
  MIZAN_TRY(settings, load_settings(context.home));
  if (entries.empty())
    return fail(ErrorCode::not_found,
                fmt::format("there is no key in {}: make one with `mizan key new`, or with `mizan "
                            "join URL`",
                            (context.home / "keys").string()));
  const std::string& wanted = context.key_name.empty() ? settings.key : context.key_name;
  if (wanted.empty() && entries.size() == 1) return entries[0];
  std::vector<std::string> names;
  for (const KeyEntry& entry : entries) {
    if (entry.name == wanted || to_checksum(entry.address) == wanted) return entry;
    names.push_back(entry.name);
  }
  if (wanted.empty())
    return fail(ErrorCode::invalid_argument,
                fmt::format("there are {} keys: say which with --key NAME", entries.size()));
  const auto close = nearest(wanted, names);
  return fail(ErrorCode::not_found,
              fmt::format("there is no key \"{}\"{}", wanted,
                          close ? fmt::format("; did you mean \"{}\"?", *close)
                                : "; `mizan key list` shows them"));
}

Result<KeyEntry> store_key(const fs::path& home, const std::string& name, const SecretKey& key,
                           const std::string& passphrase, const ScryptCost& cost) {
  MIZAN_CHECK(check_key_name(name));
  MIZAN_CHECK(make_private_folder(home / "keys"));
  const fs::path file = home / "keys" / (name + ".json");
  std::error_code ignored;
  if (fs::exists(file, ignored))
    return fail(ErrorCode::already_exists,
                fmt::format("there is a key \"{}\" already ({}): choose another name", name,
                            file.string()));
  MIZAN_CHECK(keystore_save(file.string(), key, passphrase, cost));
  return KeyEntry{name, key.address(), file};
}

Result<SecretKey> open_key(const Context& context, const KeyEntry& entry) {
  MIZAN_TRY(unlocked, find_unlocked(entry.address));
  if (unlocked) return std::move(unlocked->key);
  MIZAN_TRY(passphrase,
            read_passphrase(context, fmt::format("Passphrase of key \"{}\": ", entry.name)));
  auto key = keystore_load(entry.file.string(), passphrase);
  wipe(passphrase);
  return key;
}

}  // namespace mizan::cli
