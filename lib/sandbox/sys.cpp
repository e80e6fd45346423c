// Small calls to the operating system that the rest of the room shares.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sys.hpp"

#include "base/bytes.hpp"
#include "base/ensure.hpp"
#include "base/time.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace mizan::sandbox {

tl::unexpected<Error> fail_errno(const std::string& what, int number) {
  auto code = number == ENOENT ? ErrorCode::not_found : ErrorCode::io_error;
  return fail(Error{code, "cannot " + what + ": " + ::strerrordesc_np(number)}.with(
      "errno", std::to_string(number)));
}

Result<std::string> read_file(const fs::path& path, uint64_t bytes_max) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno("read " + path.string(), errno);
  std::string text;
  char buffer[4096];
  while (true) {
    ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("read " + path.string(), errno);
    if (n == 0) return text;
    if (text.size() + static_cast<size_t>(n) > bytes_max)
      return fail(ErrorCode::too_large,
                  path.string() + " is larger than " + std::to_string(bytes_max) + " bytes");
    text.append(buffer, static_cast<size_t>(n));
  }
}

Result<void> write_file(const fs::path& path, std::string_view text, mode_t mode) {
  auto beside = path;
  beside += ".new";
  UniqueFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!file) return fail_errno("write " + path.string(), errno);
  while (!text.empty()) {
    ssize_t n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write " + path.string(), errno);
    text.remove_prefix(static_cast<size_t>(n));
  }
  if (::rename(beside.c_str(), path.c_str()) != 0)
    return fail_errno("write " + path.string(), errno);
  return {};
}

Result<void> make_folder(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    if (errno != ENOENT || !path.has_parent_path())
      return fail_errno("make " + path.string(), errno);
    std::error_code error;
    if (!fs::exists(path.parent_path(), error)) MIZAN_CHECK(make_folder(path.parent_path(), 0755));
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
      return fail_errno("make " + path.string(), errno);
  }
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return fail_errno("make " + path.string(), errno);
  if (!S_ISDIR(st.st_mode)) return fail_errno("make " + path.string(), ENOTDIR);
  // What the umask took away, or an earlier life of the agent left.
  if ((st.st_mode & 07777) != mode && ::chmod(path.c_str(), mode) != 0)
    return fail_errno("make " + path.string(), errno);
  return {};
}

namespace {

Result<void> remove_at(int parent, const std::string& name, dev_t device, int depth) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail_errno("remove " + name, errno);
  UniqueFd folder(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat st {};
  if (!folder || ::fstat(folder.get(), &st) != 0) return fail_errno("remove " + name, errno);
  if (st.st_dev != device)
    return fail(ErrorCode::conflict, "cannot remove " + name + ": something is mounted on it");
  if (depth == 0)
    return fail(ErrorCode::too_large, "cannot remove " + name + ": too many folders deep");
  MIZAN_TRY(names, names_in(UniqueFd(::fcntl(folder.get(), F_DUPFD_CLOEXEC, 0))));
  for (const auto& child : names) MIZAN_CHECK(remove_at(folder.get(), child, device, depth - 1));
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return fail_errno("remove " + name, errno);
  return {};
}

}  // namespace

Result<void> remove_tree(const fs::path& path) {
  struct stat st {};
  if (::lstat(path.parent_path().c_str(), &st) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno("remove " + path.string(), errno);
  }
  return remove_at(AT_FDCWD, path.string(), st.st_dev, 1024);
}

Result<std::vector<std::string>> names_in(UniqueFd folder, size_t count_max) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(folder ? ::fdopendir(folder.get()) : nullptr, ::closedir);
  if (!dir) return fail_errno("list a folder", errno);
  (void)folder.release();  // closed with `dir`
  std::vector<std::string> names;
  // readdir is safe where each thread has a DIR of its own. NOLINTNEXTLINE(concurrency-mt-unsafe)
  for (dirent* entry; names.size() < count_max && (entry = ::readdir(dir.get())) != nullptr;) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> names_in(const fs::path& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return names_in(std::move(fd)).value_or(std::vector<std::string>{});
}

Result<UniqueFd> lock_for_process(const fs::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail_errno("make " + path.string(), errno);
  // Not flock(), whose lock a child has too until it has called exec: an agent that is started
  // again right after a SIGKILL would be told that the dead one still runs.
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(file.get(), F_SETLK, &whole) == 0) return file;
  if (errno != EACCES && errno != EAGAIN) return fail_errno("lock " + path.string(), errno);
  return fail(ErrorCode::conflict,
              path.parent_path().string() + " is held by another agent; stop that one first");
}

uint64_t boottime_ms() {
  return system_clock().monotonic().ms;
}

std::string boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id", 100).value_or("unknown");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string random_hex(size_t bytes) {
  Bytes random(bytes);
  ensure(::getrandom(random.data(), bytes, 0) == static_cast<ssize_t>(bytes),
         "the kernel gives random bytes");
  return hex(random);
}

std::optional<uint64_t> parse_number(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<ProcessId> identify(pid_t pid) {
  auto text = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!text) return std::nullopt;
  // The command's name may hold anything, so fields count from its closing parenthesis.
  size_t at = text->rfind(')');
  if (at == std::string::npos || at + 2 >= text->size()) return std::nullopt;
  if ((*text)[at + 2] == 'Z' || (*text)[at + 2] == 'X') return std::nullopt;
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = text->find(' ', at + 1);
  if (at == std::string::npos) return std::nullopt;
  size_t end = text->find(' ', at + 1);
  auto ticks = parse_number(std::string_view(*text).substr(at + 1, end - at - 1));
  if (!ticks) return std::nullopt;
  return ProcessId{pid, *ticks};
}

UniqueFd open_process(const ProcessId& id) {
  if (id.pid <= 0) return {};
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, id.pid, 0)));
  if (!process) return {};
  // Opened first, looked at after: if it is the same now, the descriptor is of no later process.
  auto now = identify(id.pid);
  if (!now || now->start_ticks != id.start_ticks) return {};
  return process;
}

int send_signal(const UniqueFd& process, int signal) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0));
}

bool wait_gone(const UniqueFd& process, int timeout_ms) {
  pollfd wait{process.get(), POLLIN, 0};
  uint64_t deadline = boottime_ms() + static_cast<uint64_t>(std::max(timeout_ms, 0));
  while (true) {
    uint64_t now = boottime_ms();
    int left = now < deadline ? static_cast<int>(deadline - now) : 0;
    int ready = ::poll(&wait, 1, left);
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

UniqueFd open_at2(int folder, const std::string& path, uint64_t flags, uint64_t mode,
                  uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = resolve;
  long fd;
  int tries = 0;
  do {  // EAGAIN: something was renamed meanwhile, and the kernel cannot be sure
    fd = ::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how);
  } while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < 32)));
  return UniqueFd(static_cast<int>(fd));
}

}  // namespace mizan::sandbox
