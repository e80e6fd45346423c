#include "transfer/descriptor.hpp"
#include "transfer/tree.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace mizan::transfer {
namespace {

/// 2000-01-01: a date that every tool can carry, so that touching a file changes no archive.
constexpr int64_t kFixedTime = 946'684'800;

Result<std::vector<std::string>> names_in(int folder_fd, const std::string& name) {
  DIR* stream = ::fdopendir(::dup(folder_fd));
  if (stream == nullptr) return system_error(name, "list the folder");
  std::vector<std::string> names;
  errno = 0;
  // readdir is safe where each thread has a DIR of its own. NOLINTNEXTLINE(concurrency-mt-unsafe)
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view each = entry->d_name;
    if (each != "." && each != "..") names.emplace_back(each);
    errno = 0;
  }
  const int code = errno;
  ::closedir(stream);
  errno = code;
  if (code != 0) return system_error(name, "list the folder");
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> read_link(int folder_fd, const std::string& part, const std::string& name) {
  std::string target(kEntryNameMax + 1, '\0');
  const ssize_t n = ::readlinkat(folder_fd, part.c_str(), target.data(), target.size());
  if (n < 0) return system_error(name, "read the link");
  target.resize(static_cast<size_t>(n));
  return target;
}

Result<void> pack_folder(TarWriter& writer, int folder_fd, const std::string& prefix,
                         size_t depth_left);

Result<void> pack_entry(TarWriter& writer, int folder_fd, const std::string& part,
                        const std::string& name, size_t depth_left) {
  struct stat info {};
  if (::fstatat(folder_fd, part.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return system_error(name, "look at it");
  if (S_ISLNK(info.st_mode)) {
    MIZAN_TRY(target, read_link(folder_fd, part, name));
    return writer.add_link(name, target, kFixedTime);
  }
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
    return fail(
        Error{ErrorCode::invalid_argument,
              "\"" + name + "\" is a socket, fifo or device, which cannot be sent; remove it"}
            .with("field", name));
  const int flags =
      O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (S_ISDIR(info.st_mode) ? O_DIRECTORY : 0);
  const Descriptor opened(::openat(folder_fd, part.c_str(), flags));
  if (opened.get() < 0 || ::fstat(opened.get(), &info) != 0) return system_error(name, "open");
  if (S_ISREG(info.st_mode))
    return writer.add_file(name, opened.get(), static_cast<uint64_t>(info.st_size),
                           (info.st_mode & S_IXUSR) != 0, kFixedTime);
  MIZAN_CHECK(writer.add_folder(name, kFixedTime));
  return pack_folder(writer, opened.get(), name + "/", depth_left);
}

Result<void> pack_folder(TarWriter& writer, int folder_fd, const std::string& prefix,
                         size_t depth_left) {
  if (depth_left == 0)
    return fail(ErrorCode::too_large, "\"" + prefix + "\": too many folders deep");
  MIZAN_TRY(names, names_in(folder_fd, prefix));
  for (const std::string& part : names)
    MIZAN_CHECK(pack_entry(writer, folder_fd, part, prefix + part, depth_left - 1));
  return {};
}

}  // namespace

Result<ArchiveSummary> pack_tree(const std::filesystem::path& folder, const ByteSink& sink,
                                 const ArchiveLimits& limits) {
  const Descriptor root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (root.get() < 0) return system_error(folder, "open the folder");
  TarWriter writer(sink, limits);
  MIZAN_CHECK(pack_folder(writer, root.get(), "", limits.depth_max + 1));
  return writer.finish();
}

Result<Digest> pack_tree_to_file(const std::filesystem::path& folder,
                                 const std::filesystem::path& archive,
                                 const ArchiveLimits& limits) {
  MIZAN_TRY(file, FileSink::create(archive));
  MIZAN_CHECK(pack_tree(
      folder, [&](ByteView bytes) { return file.write(bytes); }, limits));
  return file.finish();
}

}  // namespace mizan::transfer
