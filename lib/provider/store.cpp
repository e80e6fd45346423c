#include "provider/store.hpp"

#include "base/ensure.hpp"
#include "sandbox/sys.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace mizan::provider {
namespace {

constexpr size_t kValueMax = 1 << 20;

tl::unexpected<Error> io_error(const std::filesystem::path& path, const std::string& verb) {
  const int code = errno;
  return fail(Error{ErrorCode::io_error, path.string() + ": could not " + verb + ": " +
                                             std::generic_category().message(code)}
                  .with("errno", std::to_string(code)));
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 100 && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                  c == '-';
         });
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::open(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (::chmod(folder.c_str(), 0700) != 0) return io_error(folder, "make the folder");
  MIZAN_TRY(lock, sandbox::lock_for_process(folder / ".lock"));
  return std::unique_ptr<FileStore>(new FileStore(folder, std::move(lock)));
}

Result<void> FileStore::put(const std::string& name, std::string_view value,
                            Durability durability) {
  ensure(is_name(name) && value.size() <= kValueMax, "a store's name and value are within bounds");
  const std::filesystem::path path = folder_ / name;
  const std::filesystem::path fresh = folder_ / ("." + name + ".new");
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return io_error(fresh, "make the file");
  const bool sync = durability == Durability::machine;
  bool good = write_all(fd, value) && (!sync || ::fsync(fd) == 0);
  const int code = errno;
  good = ::close(fd) == 0 && good;
  if (!good) {
    ::unlink(fresh.c_str());
    errno = code;
    return io_error(fresh, "write");
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return io_error(path, "replace the file");
  if (sync && !sync_folder(folder_)) return io_error(folder_, "sync");
  return {};
}

Result<std::optional<std::string>> FileStore::get(const std::string& name) {
  ensure(is_name(name), "a store's name is within bounds");
  const std::filesystem::path path = folder_ / name;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT) return std::nullopt;
  if (fd < 0) return io_error(path, "open");
  std::string value(kValueMax + 1, '\0');
  size_t size = 0;
  ssize_t n = 0;
  while (size < value.size() && (n = ::read(fd, value.data() + size, value.size() - size)) > 0)
    size += static_cast<size_t>(n);
  ::close(fd);
  if (n < 0) return io_error(path, "read");
  if (size > kValueMax) return fail(ErrorCode::corrupted, path.string() + " is longer than 1 MiB");
  value.resize(size);
  return value;
}

Result<void> FileStore::remove(const std::string& name) {
  ensure(is_name(name), "a store's name is within bounds");
  if (::unlink((folder_ / name).c_str()) != 0 && errno != ENOENT)
    return io_error(folder_ / name, "remove");
  return {};
}

Result<std::vector<std::string>> FileStore::names() {
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_, error), end; !error && it != end;
       it.increment(error)) {
    std::string name = it->path().filename().string();
    if (is_name(name)) found.push_back(std::move(name));
  }
  if (error) return fail(ErrorCode::io_error, folder_.string() + ": could not list the folder");
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace mizan::provider
