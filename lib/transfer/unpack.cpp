#include "transfer/descriptor.hpp"
#include "transfer/tree.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace mizan::transfer {
namespace {

/// What libarchive reads from: the source, and the error that it gave.
struct Feed {
  const ByteSource& source;
  std::optional<Error> error{};

  static la_ssize_t read(archive*, void* self, const void** data) {
    auto& feed = *static_cast<Feed*>(self);
    auto piece = feed.source();
    if (!piece) {
      feed.error = std::move(piece).error();
      return -1;
    }
    *data = piece->data();
    return static_cast<la_ssize_t>(piece->size());
  }
};

tl::unexpected<Error> refuse(std::string_view name, const std::string& what,
                             ErrorCode code = ErrorCode::invalid_argument) {
  return fail(
      Error{code, "the archive is refused: \"" + std::string(name.substr(0, 200)) + "\" " + what}
          .with("field", std::string(name.substr(0, 200))));
}

class Unpacker {
 public:
  Unpacker(archive* handle, Feed& feed, const ArchiveLimits& limits, Descriptor root)
      : handle_(handle), feed_(feed), limits_(limits), root_(std::move(root)) {}

  Result<ArchiveSummary> run() {
    archive_entry* entry = nullptr;
    while (true) {
      const int code = archive_read_next_header(handle_, &entry);
      if (code == ARCHIVE_EOF) return summary_;
      MIZAN_CHECK(check_archive(code));
      MIZAN_CHECK(take(entry));
    }
  }

 private:
  Result<void> check_archive(int64_t code) {
    if (code >= ARCHIVE_OK) return {};
    if (feed_.error) return fail(*feed_.error);
    const char* text = archive_error_string(handle_);
    return fail(ErrorCode::invalid_argument,
                std::string("the archive is damaged: ") + (text ? text : "unknown fault"));
  }

  Result<void> take(archive_entry* entry) {
    const char* pathname = archive_entry_pathname(entry);
    if (pathname == nullptr) return refuse("", "has a name that cannot be read");
    std::string name = pathname;
    if (name == "." || name == "./") return {};
    if (name.starts_with("./")) name.erase(0, 2);
    const auto type = archive_entry_filetype(entry);
    if (type == AE_IFDIR && name.ends_with('/')) name.pop_back();
    if (auto good = check_entry_name(name, limits_.depth_max); !good)
      return fail(Error{good.error().code, "the archive is refused: " + good.error().message}.with(
          "field", good.error().details["field"]));
    if (archive_entry_hardlink(entry) != nullptr) return refuse(name, "is a hard link");
    if ((archive_entry_perm(entry) & 07000) != 0)
      return refuse(name, "has a set-user, set-group or sticky bit");
    switch (type) {
      case AE_IFDIR:
        return make_folders(name).map([](const Descriptor&) {});
      case AE_IFREG:
        MIZAN_CHECK(count(name));
        return write_file(name, entry);
      case AE_IFLNK:
        MIZAN_CHECK(count(name));
        return write_link(name, entry);
      default:
        return refuse(name, "is a device, fifo or socket");
    }
  }

  /// Folders count when they are made, since a file's name alone can make many.
  Result<void> count(std::string_view name) {
    if (++summary_.entries <= limits_.entries_max) return {};
    return refuse(name,
                  "is one entry more than the limit of " + std::to_string(limits_.entries_max),
                  ErrorCode::too_large);
  }

  /// Opens the folder `name`, making what is missing of it; never through a link.
  Result<Descriptor> make_folders(std::string_view name) {
    Descriptor folder(::fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
    for (size_t at = 0; at < name.size();) {
      const size_t slash = std::min(name.find('/', at), name.size());
      const std::string part(name.substr(at, slash - at));
      at = slash + 1;
      if (::mkdirat(folder.get(), part.c_str(), 0755) == 0) {
        MIZAN_CHECK(count(name));
      } else if (errno != EEXIST) {
        return system_error(std::string(name), "make the folder");
      }
      Descriptor next(
          ::openat(folder.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (next.get() < 0) {
        if (errno == ENOTDIR || errno == ELOOP)
          return refuse(name, "lies beneath something that is no folder");
        return system_error(std::string(name), "open the folder");
      }
      folder = std::move(next);
    }
    return folder;
  }

  static std::pair<std::string_view, std::string> split(const std::string& name) {
    const size_t slash = name.rfind('/');
    if (slash == std::string::npos) return {"", name};
    return {std::string_view(name).substr(0, slash), name.substr(slash + 1)};
  }

  Result<void> write_link(const std::string& name, archive_entry* entry) {
    const char* target = archive_entry_symlink(entry);
    if (target == nullptr) return refuse(name, "is a link without a target");
    if (!check_link(name, target)) return refuse(name, "is a link that leads out of the tree");
    const auto [folder_name, part] = split(name);
    MIZAN_TRY(folder, make_folders(folder_name));
    if (::symlinkat(target, folder.get(), part.c_str()) == 0) return {};
    if (errno == EEXIST) return refuse(name, "stands there twice");
    return system_error(name, "make the link");
  }

  Result<void> write_file(const std::string& name, archive_entry* entry) {
    const auto claimed = static_cast<uint64_t>(std::max<la_int64_t>(0, archive_entry_size(entry)));
    if (claimed > limits_.bytes_max - summary_.bytes) return too_many_bytes(name);
    const auto [folder_name, part] = split(name);
    MIZAN_TRY(folder, make_folders(folder_name));
    const mode_t mode = (archive_entry_perm(entry) & S_IXUSR) != 0 ? 0755 : 0644;
    const Descriptor file(::openat(folder.get(), part.c_str(),
                                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (file.get() < 0) {
      if (errno == EEXIST) return refuse(name, "stands there twice");
      return system_error(name, "make the file");
    }
    while (true) {
      const la_ssize_t n = archive_read_data(handle_, buffer_.data(), buffer_.size());
      MIZAN_CHECK(check_archive(n));
      if (n == 0) break;
      summary_.bytes += static_cast<uint64_t>(n);
      if (summary_.bytes > limits_.bytes_max) return too_many_bytes(name);
      MIZAN_CHECK(write_all(file.get(), ByteView(buffer_.data(), static_cast<size_t>(n)), name));
    }
    const timespec times[2] = {{archive_entry_mtime(entry), 0}, {archive_entry_mtime(entry), 0}};
    ::futimens(file.get(), times);  // a date that the file system cannot hold is no fault
    return {};
  }

  static Result<void> write_all(int fd, ByteView bytes, const std::string& name) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_error(name, "write");
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }

  tl::unexpected<Error> too_many_bytes(const std::string& name) const {
    return refuse(name, "goes over the limit of " + std::to_string(limits_.bytes_max) + " bytes",
                  ErrorCode::too_large);
  }

  archive* handle_;
  Feed& feed_;
  ArchiveLimits limits_;
  Descriptor root_;
  ArchiveSummary summary_;
  Bytes buffer_ = Bytes(size_t{256} << 10);
};

}  // namespace

Result<ArchiveSummary> unpack_tree(const ByteSource& source, const std::filesystem::path& folder,
                                   const ArchiveLimits& limits) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return system_error(folder, "make the folder");
  Descriptor root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (root.get() < 0) return system_error(folder, "open the folder");
  const std::unique_ptr<archive, int (*)(archive*)> handle(archive_read_new(), archive_read_free);
  // Tar alone, uncompressed: fewer decoders stand open to strangers, and nothing swells.
  archive_read_support_format_tar(handle.get());
  Feed feed{source};
  if (archive_read_open(handle.get(), &feed, nullptr, Feed::read, nullptr) != ARCHIVE_OK) {
    if (feed.error) return fail(*feed.error);
    return fail(ErrorCode::invalid_argument, "the archive is damaged: it is no tar");
  }
  return Unpacker(handle.get(), feed, limits, std::move(root)).run();
}

Result<ArchiveSummary> unpack_tree_from_file(const std::filesystem::path& archive,
                                             const std::filesystem::path& folder,
                                             const ArchiveLimits& limits) {
  MIZAN_TRY(source, file_source(archive));
  return unpack_tree(source, folder, limits);
}

}  // namespace mizan::transfer
