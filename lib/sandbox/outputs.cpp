// OutputTree: reads files that a hostile job has written, without being led astray.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/outputs.hpp"

#include "sandbox/sys.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <set>
#include <sys/stat.h>

namespace mizan::sandbox {

namespace {

constexpr uint64_t kResolve =
    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;

/// Relative to the root, for openat2; "." for the root itself.
std::string beneath(const std::string& path) {
  size_t at = path.find_first_not_of('/');
  return at == path.npos ? "." : path.substr(at);
}

std::string why_refused(int number) {
  switch (number) {
    case ENOENT:
      return "it is not there";
    case ELOOP:
      return "it is a symbolic link, or lies behind one";
    case EXDEV:
      return "it lies outside the job's own disk";
    case ENXIO:
      return "it is a socket or a device";
    case ENOTDIR:
      return "a part of its path is a file";
    case EACCES:
      return "it is a device, or may not be opened";
    case ENAMETOOLONG:
      return "its path is too long";
    default:
      return "it cannot be opened (error " + std::to_string(number) + ")";
  }
}

std::string why_not_regular(mode_t mode) {
  if (S_ISFIFO(mode)) return "it is a fifo";
  if (S_ISSOCK(mode)) return "it is a socket";
  if (S_ISLNK(mode)) return "it is a symbolic link, or lies behind one";
  return "it is a device";
}

/// "/a/./b//c" or "c" beside cwd, to "/cwd/c"; nothing for a path with "..".
Result<std::string> normalize(const std::string& path, const std::string& cwd) {
  std::string whole = path.starts_with('/') ? path : cwd + "/" + path;
  std::string out;
  for (size_t begin = 0; begin < whole.size();) {
    size_t end = std::min(whole.find('/', begin), whole.size());
    std::string name = whole.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty() || name == ".") continue;
    if (name == "..") return fail(ErrorCode::invalid_argument, "its path holds \"..\"");
    out += "/" + name;
  }
  if (out.find('\0') != out.npos)
    return fail(ErrorCode::invalid_argument, "its path holds a NUL byte");
  return out.empty() ? std::string("/") : out;
}

/// Collects what is beneath one path; stops with an error at a limit.
class Collector {
 public:
  Collector(int root, const OutputLimits& limits, OutputList& list)
      : root_(root), limits_(limits), list_(list) {}

  Result<void> add(const std::string& path, uint32_t depth);

 private:
  void refuse(const std::string& path, std::string why) {
    if (list_.refused.size() < limits_.refusals_max)
      list_.refused.push_back({path, std::move(why)});
  }
  Result<void> add_children(const std::string& path, const UniqueFd& folder, uint32_t depth);

  int root_;
  const OutputLimits& limits_;
  OutputList& list_;
  std::set<std::string> seen_;  ///< paths may overlap
};

Result<void> Collector::add(const std::string& path, uint32_t depth) {
  if (!seen_.insert(path).second) return {};
  auto fd = open_at2(root_, beneath(path), O_PATH | O_NOFOLLOW, 0, kResolve);
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) != 0) {
    refuse(path, why_refused(errno));
    return {};
  }
  if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
    refuse(path, why_not_regular(st.st_mode));
    return {};
  }
  if (list_.entries.size() >= limits_.entries_max)
    return fail(ErrorCode::too_large,
                "outputs: more than " + std::to_string(limits_.entries_max) + " files and folders");
  OutputEntry entry;
  entry.path = path;
  entry.kind = S_ISDIR(st.st_mode) ? OutputKind::folder : OutputKind::file;
  entry.mode = st.st_mode & 0777;
  entry.mtime_ms = st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1'000'000;
  if (entry.kind == OutputKind::file) entry.bytes = static_cast<uint64_t>(st.st_size);
  if (entry.bytes > limits_.bytes_max - list_.bytes)
    return fail(ErrorCode::too_large,
                "outputs: together larger than " + std::to_string(limits_.bytes_max) + " bytes");
  list_.bytes += entry.bytes;
  bool is_folder = entry.kind == OutputKind::folder;
  list_.entries.push_back(std::move(entry));
  if (!is_folder) return {};
  if (depth >= limits_.depth_max) {
    refuse(path, "it lies too many folders deep");
    return {};
  }
  return add_children(path, fd, depth);
}

Result<void> Collector::add_children(const std::string& path, const UniqueFd& folder,
                                     uint32_t depth) {
  auto opened = open_at2(folder.get(), ".", O_RDONLY | O_DIRECTORY, 0, kResolve);
  if (!opened) {
    refuse(path, why_refused(errno));
    return {};
  }
  // One more than may be listed, so that the limit is noticed.
  MIZAN_TRY(names, names_in(std::move(opened), limits_.entries_max + limits_.refusals_max + 1));
  for (const auto& name : names)
    MIZAN_CHECK(add((path == "/" ? "" : path) + "/" + name, depth + 1));
  return {};
}

}  // namespace

Result<OutputList> OutputTree::list(const std::vector<std::string>& paths, const std::string& cwd,
                                    const OutputLimits& limits) const {
  OutputList list;
  Collector collector(root_.get(), limits, list);
  for (const auto& path : paths) {
    auto whole = normalize(path, cwd);
    if (!whole) {
      list.refused.push_back({path, whole.error().message});
      continue;
    }
    MIZAN_CHECK(collector.add(*whole, 0));
  }
  return list;
}

Result<UniqueFd> OutputTree::open(const std::string& path) const {
  // Not blocking, so that a fifo put there since it was listed cannot hold the agent.
  auto fd = open_at2(root_.get(), beneath(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0,
                     kResolve);
  if (!fd)
    return fail(Error{errno == ENOENT ? ErrorCode::not_found : ErrorCode::forbidden,
                      "the output \"" + path + "\" is refused: " + why_refused(errno)}
                    .with("path", path));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno("look at an output", errno);
  if (!S_ISREG(st.st_mode))
    return fail(Error{ErrorCode::forbidden,
                      "the output \"" + path + "\" is refused: " +
                          (S_ISDIR(st.st_mode) ? "it is a folder" : why_not_regular(st.st_mode))}
                    .with("path", path));
  return fd;
}

}  // namespace mizan::sandbox
