// TreeWriter: puts files onto a job's disk before the job starts.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/tree_writer.hpp"

#include "base/ensure.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <vector>

namespace mizan::sandbox {

namespace {

constexpr int kDepthMax = 128;

tl::unexpected<Error> fail_copy(const std::string& name, int number) {
  if (number == ENOSPC)
    return fail(Error{ErrorCode::too_large,
                      "limits.disk_bytes: the job's files do not fit on its disk; \"" + name +
                          "\" was the first that found no room"}
                    .with("field", "limits.disk_bytes"));
  return fail_errno("copy \"" + name + "\" into the job", number);
}

std::pair<std::string, std::string> split_last(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.ends_with('/')) trimmed.pop_back();
  size_t at = trimmed.rfind('/');
  return {trimmed.substr(0, at), trimmed.substr(at + 1)};
}

Result<void> set_owner(int fd, const std::string& name, Owner owner, mode_t mode) {
  if (::fchown(fd, owner.uid, owner.gid) != 0 || ::fchmod(fd, mode) != 0)
    return fail_errno("give \"" + name + "\" to the job", errno);
  return {};
}

Result<UniqueFd> enter(int parent, const std::string& name, Owner owner, mode_t mode) {
  bool made = ::mkdirat(parent, name.c_str(), mode) == 0;
  if (!made && errno != EEXIST) return fail_copy(name, errno);
  UniqueFd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno("use \"" + name + "\" as a folder of the job", errno);
  if (made) MIZAN_CHECK(set_owner(fd.get(), name, owner, mode));
  return fd;
}

Result<void> copy_bytes(int from, int to, const std::string& name, uint64_t bytes) {
  while (bytes > 0) {
    ssize_t n = ::sendfile(to, from, nullptr, std::min<uint64_t>(bytes, 1 << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_copy(name, errno);
    if (n == 0) break;  // it has shrunk meanwhile
    bytes -= static_cast<uint64_t>(n);
  }
  return {};
}

Result<void> copy_entry(int from_parent, const std::string& from_name, int to_parent,
                        const std::string& to_name, Owner owner, int depth) {
  struct stat st {};
  if (::fstatat(from_parent, from_name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno("find \"" + from_name + "\"", errno);
  timespec times[2] = {st.st_atim, st.st_mtim};
  if (S_ISLNK(st.st_mode)) {
    std::string target(4096, '\0');
    ssize_t n = ::readlinkat(from_parent, from_name.c_str(), target.data(), target.size());
    if (n < 0) return fail_copy(from_name, errno);
    target.resize(static_cast<size_t>(n));
    if (::symlinkat(target.c_str(), to_parent, to_name.c_str()) != 0 ||
        ::fchownat(to_parent, to_name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_copy(from_name, errno);
    return {};
  }
  if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
    return fail(ErrorCode::invalid_argument,
                "copies: \"" + from_name + "\" is a device, socket or fifo; leave it out");
  if (depth == 0)
    return fail(ErrorCode::too_large, "copies: \"" + from_name + "\" lies too many folders deep");
  UniqueFd from(
      ::openat(from_parent, from_name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!from) return fail_copy(from_name, errno);
  if (S_ISREG(st.st_mode)) {
    UniqueFd to(::openat(to_parent, to_name.c_str(),
                         O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!to) return fail_copy(from_name, errno);
    MIZAN_CHECK(copy_bytes(from.get(), to.get(), from_name, static_cast<uint64_t>(st.st_size)));
    MIZAN_CHECK(set_owner(to.get(), from_name, owner, st.st_mode & 0777));
    (void)::futimens(to.get(), times);
    return {};
  }
  MIZAN_TRY(to, enter(to_parent, to_name, owner, st.st_mode & 0777));
  MIZAN_TRY(names, names_in(UniqueFd(::fcntl(from.get(), F_DUPFD_CLOEXEC, 0))));
  for (const auto& name : names)
    MIZAN_CHECK(copy_entry(from.get(), name, to.get(), name, owner, depth - 1));
  return {};
}

}  // namespace

Result<TreeWriter> TreeWriter::open(const fs::path& root) {
  UniqueFd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno("open " + root.string(), errno);
  return TreeWriter(std::move(fd));
}

Result<UniqueFd> TreeWriter::walk(const std::string& path, Owner owner, mode_t mode) {
  UniqueFd here(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
  if (!here) return fail_errno("open the job's root", errno);
  for (const auto& part : fs::path(path).relative_path()) {
    std::string name = part.string();
    if (name.empty() || name == ".") continue;
    ensure(name != "..", "paths of a job are checked before they are used");
    MIZAN_TRY(next, enter(here.get(), name, owner, mode));
    here = std::move(next);
  }
  return here;
}

Result<void> TreeWriter::folder(const std::string& path, Owner owner, mode_t mode) {
  MIZAN_TRY(fd, walk(path, owner, mode));
  return {};
}

Result<void> TreeWriter::file(const std::string& path, std::string_view text, Owner owner,
                              mode_t mode) {
  auto [parent, name] = split_last(path);
  MIZAN_TRY(folder, walk(parent, owner, 0755));
  UniqueFd fd(::openat(folder.get(), name.c_str(),
                       O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_copy(path, errno);
  return set_owner(fd.get(), path, owner, mode);
}

Result<void> TreeWriter::link(const std::string& path, const std::string& target, Owner owner) {
  auto [parent, name] = split_last(path);
  MIZAN_TRY(folder, walk(parent, owner, 0755));
  if (::symlinkat(target.c_str(), folder.get(), name.c_str()) != 0 ||
      ::fchownat(folder.get(), name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_copy(path, errno);
  return {};
}

Result<void> TreeWriter::copy(const fs::path& from, const std::string& into, Owner owner) {
  auto [parent, name] = split_last(into);
  MIZAN_TRY(folder, walk(parent, owner, 0755));
  if (name.empty())
    return fail(ErrorCode::invalid_argument, "copies: \"into\" must name a folder below /");
  return copy_entry(AT_FDCWD, from.string(), folder.get(), name, owner, kDepthMax);
}

}  // namespace mizan::sandbox
