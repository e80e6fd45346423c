#include "service/keys.hpp"

#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "service/files.hpp"
#include "service/spare_clearance.hpp"

#include <array>

namespace mizan::service {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 3> kNames = {"identity.json", "meter.json", "clearance.json"};

}  // namespace

Hash32 ExchangeKeys::exchange_id() const {
  Bytes preimage;
  for (const ByteView part : {as_bytes("mizan-exchange"), identity.address().view()})
    preimage.insert(preimage.end(), part.begin(), part.end());
  return keccak256(preimage);
}

ExchangeKeys generate_keys() {
  return {SecretKey::generate(), SecretKey::generate(), SecretKey::generate()};
}

namespace {

Result<void> make_keys(const fs::path& folder, const fs::path& passphrase_file,
                       const ScryptCost& cost) {
  std::error_code error;
  fs::remove_all(folder, error);
  fs::create_directories(folder, error);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  if (error)
    return fail(ErrorCode::io_error, "cannot make " + folder.string() + ": " + error.message());
  MIZAN_TRY(passphrase, read_key_passphrase(folder, passphrase_file, true));
  const ExchangeKeys made = generate_keys();
  const std::array<const SecretKey*, 3> keys = {&made.identity, &made.meter, &made.clearance};
  Result<void> saved;
  for (size_t i = 0; saved && i < kNames.size(); ++i)
    saved = keystore_save((folder / kNames[i]).string(), *keys[i], passphrase, cost);
  wipe(passphrase);
  return saved;
}

}  // namespace

Result<ExchangeKeys> open_keys(const fs::path& state, const fs::path& passphrase_file,
                               const ScryptCost& cost) {
  const fs::path folder = state / "keys";
  std::error_code error;
  if (!fs::exists(folder, error)) {
    // All three or none: a crash in between must not leave half an exchange.
    const fs::path made = state / "keys.new";
    MIZAN_CHECK(make_keys(made, passphrase_file, cost));
    fs::rename(made, folder, error);
    if (error)
      return fail(ErrorCode::io_error, "cannot make " + folder.string() + ": " + error.message());
    MIZAN_CHECK(sync_folder(state));
  }
  for (const char* name : kNames)
    if (!fs::exists(folder / name, error))
      return fail(Error{
          ErrorCode::corrupted,
          folder.string() + " lacks " + name +
              ": bring it back; a new key would be another exchange",
          {}}.with("place", folder.string()));
  MIZAN_TRY(passphrase, read_key_passphrase(folder, passphrase_file, false));
  std::vector<SecretKey> keys;
  for (const char* name : kNames) {
    auto key = keystore_load((folder / name).string(), passphrase);
    if (!key) {
      wipe(passphrase);
      return fail(std::move(key).error());
    }
    keys.push_back(*std::move(key));
  }
  wipe(passphrase);
  return ExchangeKeys{std::move(keys[0]), std::move(keys[1]), std::move(keys[2])};
}

Result<SecretKey> open_gas_key(const fs::path& state, const fs::path& passphrase_file,
                               const ScryptCost& cost) {
  const fs::path file = state / "keys" / "gas.json";
  MIZAN_TRY(passphrase, read_key_passphrase(state / "keys", passphrase_file, false));
  std::error_code error;
  Result<void> saved;
  if (!fs::exists(file, error))
    saved = keystore_save(file.string(), SecretKey::generate(), passphrase, cost);
  auto key = saved ? keystore_load(file.string(), passphrase)
                   : Result<SecretKey>(fail(std::move(saved).error()));
  wipe(passphrase);
  return key;
}

}  // namespace mizan::service
