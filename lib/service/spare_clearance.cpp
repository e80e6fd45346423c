#include "service/spare_clearance.hpp"

#include "crypto/private_file.hpp"
#include "crypto/random.hpp"
#include "service/files.hpp"

namespace mizan::service {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCurrent = "clearance.json";
constexpr const char* kSpare = "clearance-next.json";

/// That the file can be opened, so that the exchange will start with it.
Result<Address> address_in(const fs::path& file, const fs::path& folder,
                           const fs::path& passphrase_file) {
  MIZAN_TRY(passphrase, read_key_passphrase(folder, passphrase_file, false));
  const auto key = keystore_load(file.string(), passphrase);
  wipe(passphrase);
  if (!key) return fail(key.error());
  return key->address();
}

}  // namespace

Result<std::string> read_key_passphrase(const fs::path& folder, const fs::path& file, bool make) {
  fs::path path = file;
  if (path.empty()) {
    path = folder / "passphrase";
    if (make) {
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

Result<Address> make_spare_clearance(const fs::path& state, const fs::path& passphrase_file,
                                     const ScryptCost& cost) {
  const fs::path folder = state / "keys";
  std::error_code error;
  if (!fs::exists(folder / kCurrent, error))
    return fail(ErrorCode::not_found, folder.string() + " has no " + kCurrent +
                                          ": the exchange makes its keys first (--keys)");
  if (!fs::exists(folder / kSpare, error)) {
    MIZAN_TRY(passphrase, read_key_passphrase(folder, passphrase_file, false));
    const auto saved =
        keystore_save((folder / kSpare).string(), SecretKey::generate(), passphrase, cost);
    wipe(passphrase);
    MIZAN_CHECK(saved);
  }
  return address_in(folder / kSpare, folder, passphrase_file);
}

Result<Address> use_spare_clearance(const fs::path& state, const fs::path& passphrase_file) {
  const fs::path folder = state / "keys";
  std::error_code error;
  if (!fs::exists(folder / kSpare, error))
    return fail(ErrorCode::not_found, folder.string() + " has no " + kSpare +
                                          ": --new-clearance-key makes it, and it is used once");
  MIZAN_TRY(fresh, address_in(folder / kSpare, folder, passphrase_file));
  MIZAN_TRY(before, address_in(folder / kCurrent, folder, passphrase_file));
  // The place is never empty, wherever this ends: a second name for the old one, then one rename.
  const fs::path kept = folder / ("clearance-" + hex0x(before.view()) + ".json");
  fs::remove(kept, error);
  fs::create_hard_link(folder / kCurrent, kept, error);
  if (!error) fs::rename(folder / kSpare, folder / kCurrent, error);
  if (error)
    return fail(ErrorCode::io_error,
                "cannot put " + (folder / kSpare).string() + " in its place: " + error.message());
  MIZAN_CHECK(sync_folder(folder));
  return fresh;
}

}  // namespace mizan::service
