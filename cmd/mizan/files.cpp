#include "mizan/files.hpp"

#include "codec/json.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mizan::cli {
namespace {

tl::unexpected<Error> refused(std::string_view doing, const fs::path& path) {
  const int code = errno;
  return fail(Error{code == ENOENT ? ErrorCode::not_found : ErrorCode::io_error,
                    fmt::format("can't {} {}: {}", doing, path.string(), std::strerror(code)),
                    {{"errno", std::to_string(code)}}});
}

Result<void> write_all(int descriptor, std::string_view text, const fs::path& path) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(descriptor, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return refused("write", path);
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  if (::fsync(descriptor) != 0) return refused("write", path);
  return {};
}

Result<void> sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return refused("open", folder);
  const bool synced = ::fsync(descriptor) == 0;
  ::close(descriptor);
  if (!synced) return refused("write", folder);
  return {};
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

Result<void> write_private_file(const fs::path& path, std::string_view text) {
  const fs::path part = fmt::format("{}.{}.part", path.string(), ::getpid());
  const int descriptor = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return refused("write", part);
  auto written = write_all(descriptor, text, part);
  ::close(descriptor);
  if (written && ::rename(part.c_str(), path.c_str()) != 0) written = refused("write", path);
  if (!written) {
    ::unlink(part.c_str());
    return written;
  }
  return sync_folder(path.parent_path());
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
  return write_private_file(path, json_text(value) + "\n");
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
