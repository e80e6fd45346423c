#include "service/keys.hpp"

#include "crypto/hash.hpp"
#include "crypto/private_file.hpp"
#include "crypto/random.hpp"

#include <array>

namespace mizan::service {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 3> kNames = {"identity.json", "meter.json", "clearance.json"};

Result<std::string> read_passphrase(const fs::path& folder, const fs::path& file) {
  fs::path path = file;
  if (path.empty()) {
    path = folder / "passphrase";
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
      std::string made = hex(random_bytes(32)) + "\n";
      const auto written = write_private_file(path.string(), as_bytes(made));
      wipe(made);
      if (!written) return fail(written.error());
    }
  }
  MIZAN_TRY(text, read_private_file(path.string(), 4096));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty())
    return fail(ErrorCode::invalid_argument, path.string() + " holds no passphrase");
  return text;
}

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

Result<ExchangeKeys> open_keys(const fs::path& state, const fs::path& passphrase_file,
                               const ScryptCost& cost) {
  const fs::path folder = state / "keys";
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  if (error)
    return fail(ErrorCode::io_error, "cannot make " + folder.string() + ": " + error.message());
  size_t found = 0;
  for (const char* name : kNames) found += fs::exists(folder / name, error) ? 1 : 0;
  if (found != 0 && found != kNames.size())
    return fail(Error{
        ErrorCode::corrupted,
        folder.string() + " holds some of identity.json, meter.json and "
                          "clearance.json, not all: bring the others back",
        {}}.with("place", folder.string()));
  MIZAN_TRY(passphrase, read_passphrase(folder, passphrase_file));
  if (found == 0) {
    const ExchangeKeys made = generate_keys();
    const std::array<const SecretKey*, 3> keys = {&made.identity, &made.meter, &made.clearance};
    for (size_t i = 0; i < kNames.size(); ++i)
      MIZAN_CHECK(keystore_save((folder / kNames[i]).string(), *keys[i], passphrase, cost));
  }
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

}  // namespace mizan::service
