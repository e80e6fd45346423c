#include "base/time.hpp"
#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "crypto/random.hpp"
#include "mizan/files.hpp"
#include "mizan/keys.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace mizan::cli {
namespace {

bool on_tmpfs(const fs::path& folder) {
  struct statfs info {};
  return ::statfs(folder.c_str(), &info) == 0 && info.f_type == TMPFS_MAGIC;
}

// A folder of ours alone, on a file system that lives in memory.
Result<fs::path> runtime_folder() {
  std::vector<fs::path> places;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread sets the environment
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime == '/')
    places.emplace_back(fs::path(runtime) / "mizan");
  places.emplace_back(fmt::format("/run/user/{}/mizan", ::getuid()));
  places.emplace_back(fmt::format("/dev/shm/mizan-{}", ::getuid()));
  for (const fs::path& place : places) {
    if (!on_tmpfs(place.parent_path())) continue;
    if (::mkdir(place.c_str(), 0700) != 0 && errno != EEXIST) continue;
    struct stat info {};
    // Somebody else may have made the folder first, to read what we put there.
    if (::lstat(place.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::getuid() &&
        (info.st_mode & 077) == 0 && on_tmpfs(place))
      return place;
  }
  return fail(ErrorCode::unavailable,
              "no folder in memory (tmpfs) for an unlocked key: XDG_RUNTIME_DIR, /run/user/UID and "
              "/dev/shm are missing or not yours; give --passphrase-file instead");
}

Result<fs::path> file_of(const Address& address) {
  MIZAN_TRY(folder, runtime_folder());
  return folder / (hex(address.view()) + ".json");
}

Result<SecretKey> key_from_hex(const std::string& text) {
  MIZAN_TRY(bytes, parse_hex(text));
  auto key = SecretKey::from_bytes(bytes);
  wipe(bytes);
  return key;
}

}  // namespace

Result<std::optional<Unlocked>> find_unlocked(const Address& address) {
  auto path = file_of(address);
  std::error_code ignored;
  if (!path || !fs::exists(*path, ignored)) return std::optional<Unlocked>();
  MIZAN_TRY(value, read_json_file(*path));
  std::string key, login_key, login;
  uint64_t expires_at_ms = 0;
  Hash32 login_exchange;
  ObjectReader in(value, path->string());
  in.required("key", key);
  in.required("expiresAtMs", expires_at_ms);
  in.optional("loginKey", login_key);
  in.optional("login", login);
  in.optional("loginExchange", login_exchange);
  MIZAN_CHECK(in.finish());
  if (expires_at_ms <= system_clock().now().ms) {
    MIZAN_CHECK(forget_unlocked(address));
    return std::optional<Unlocked>();
  }
  MIZAN_TRY(secret, key_from_hex(key));
  wipe(key);
  Unlocked unlocked{.key = std::move(secret), .expires_at_ms = expires_at_ms};
  if (!login.empty()) {
    MIZAN_TRY(login_secret, key_from_hex(login_key));
    MIZAN_TRY(proof, net::decode_login(login));
    unlocked.login_key.emplace(std::move(login_secret));
    unlocked.login = std::move(proof);
    unlocked.login_exchange = login_exchange;
  }
  return std::optional<Unlocked>(std::move(unlocked));
}

Result<void> keep_unlocked(const Unlocked& unlocked) {
  MIZAN_TRY(path, file_of(unlocked.key.address()));
  json::object value{{"key", hex(unlocked.key.reveal())}, {"expiresAtMs", unlocked.expires_at_ms}};
  if (unlocked.login_key && unlocked.login) {
    value["loginKey"] = hex(unlocked.login_key->reveal());
    value["login"] = net::encode_login(*unlocked.login);
    value["loginExchange"] = hex0x(unlocked.login_exchange.view());
  }
  return write_json_file(path, value);
}

Result<bool> forget_unlocked(const Address& address) {
  MIZAN_TRY(path, file_of(address));
  return ::unlink(path.c_str()) == 0;
}

}  // namespace mizan::cli
