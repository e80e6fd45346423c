#include "mizan/files.hpp"

#include "codec/json.hpp"
#include "crypto/private_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace mizan::cli {
namespace {

tl::unexpected<Error> refused(std::string_view doing, const fs::path& path) {
  const int code = errno;
  return fail(Error{
      code == ENOENT ? ErrorCode::not_found : ErrorCode::io_error,
      fmt::format("can't {} {}: {}", doing, path.string(), std::generic_category().message(code)),
      {{"errno", std::to_string(code)}}});
}

}  // namespace

Result<void> make_private_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return {};
  if (folder.has_parent_path() && folder.parent_path() != folder)
    MIZAN_CHECK(make_private_folder(folder.parent_path()));
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return refused("make", folder);
  return {};
}

Result<void> write_small_file(const fs::path& path, std::string_view text) {
  return write_private_file(path.string(), as_bytes(text));
}

Result<std::string> read_small_file(const fs::path& path, size_t bytes_max) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return refused("read", path);
  std::string text;
  char buffer[16384];
  ssize_t got = 0;
  while (text.size() <= bytes_max && (got = ::read(descriptor, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<size_t>(got));
  const int code = errno;
  ::close(descriptor);
  errno = code;
  if (got < 0) return refused("read", path);
  if (text.size() > bytes_max)
    return fail(ErrorCode::too_large,
                fmt::format("{} is longer than {} bytes", path.string(), bytes_max));
  return text;
}

Result<boost::json::value> read_json_file(const fs::path& path) {
  MIZAN_TRY(text, read_small_file(path));
  return parse_json(text, {}, path.string());
}

Result<void> write_json_file(const fs::path& path, const boost::json::value& value) {
  return write_small_file(path, json_text(value) + "\n");
}

Result<int> FileLock::open(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return refused("lock", path);
  return descriptor;
}

Result<FileLock> FileLock::wait(const fs::path& path) {
  MIZAN_TRY(descriptor, open(path));
  FileLock lock(descriptor);
  while (::flock(descriptor, LOCK_EX) != 0)
    if (errno != EINTR) return refused("lock", path);
  return lock;
}

Result<std::optional<FileLock>> FileLock::attempt(const fs::path& path) {
  MIZAN_TRY(descriptor, open(path));
  FileLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return std::optional<FileLock>(std::move(lock));
  if (errno == EWOULDBLOCK) return std::optional<FileLock>();
  return refused("lock", path);
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace mizan::cli
