// One layer of an OCI image, unpacked over those before it; every byte of it is hostile.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/oci_layer.hpp"

#include "sandbox/sha256.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <vector>

namespace mizan::sandbox {

namespace {

constexpr size_t kBlock = 65536;
constexpr size_t kLayerPathMax = 4096;
constexpr size_t kLayerDepthMax = 256;
constexpr uint32_t kIdMax = 65535, kNobody = 65534;
constexpr uint64_t kEntryCost = 4096;  // an empty file costs about a block, too
constexpr std::string_view kWhiteout = ".wh.", kOpaque = ".wh..wh..opq";

using Archive = std::unique_ptr<archive, decltype(&archive_read_free)>;

tl::unexpected<Error> bad_layer(const std::string& what) {
  return fail(ErrorCode::corrupted, "the image's layer is refused: " + what);
}

std::string reason(archive* from) {
  const char* text = archive_error_string(from);
  return text != nullptr ? text : "it cannot be read";
}

/// The blob, hashed as it is read; decompressed; hashed again: what the tar reader gets to see.
struct Stream {
  UniqueFd file;
  Sha256 blob_hash, tar_hash;
  uint64_t plain_bytes_left = 0;  ///< so that a bomb that is only skipped over ends, too
  Archive inflate{archive_read_new(), archive_read_free};
  std::vector<char> compressed = std::vector<char>(kBlock), plain = std::vector<char>(kBlock);

  static la_ssize_t read_blob(archive* self, void* data, const void** buffer) {
    auto& stream = *static_cast<Stream*>(data);
    ssize_t n;
    do n = ::read(stream.file.get(), stream.compressed.data(), kBlock);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
      archive_set_error(self, errno, "the blob cannot be read");
      return ARCHIVE_FATAL;
    }
    stream.blob_hash.add(stream.compressed.data(), static_cast<size_t>(n));
    *buffer = stream.compressed.data();
    return n;
  }

  static la_ssize_t read_plain(archive* self, void* data, const void** buffer) {
    auto& stream = *static_cast<Stream*>(data);
    la_ssize_t n = archive_read_data(stream.inflate.get(), stream.plain.data(), kBlock);
    if (n < 0) {
      archive_set_error(self, EIO, "%s", reason(stream.inflate.get()).c_str());
      return ARCHIVE_FATAL;
    }
    if (static_cast<uint64_t>(n) > stream.plain_bytes_left) {
      archive_set_error(self, EFBIG, "it is too large when it is decompressed");
      return ARCHIVE_FATAL;
    }
    stream.plain_bytes_left -= static_cast<uint64_t>(n);
    stream.tar_hash.add(stream.plain.data(), static_cast<size_t>(n));
    *buffer = stream.plain.data();
    return n;
  }
};

struct Place {
  UniqueFd parent;
  std::string name;  ///< empty: the root itself
};

class Unpacker {
 public:
  Unpacker(const UniqueFd& root, UnpackBudget& budget) : root_(root), budget_(budget) {}

  Result<void> entry(archive* tar, archive_entry* entry);

 private:
  Result<std::vector<std::string>> split(const char* path) const;
  Result<Place> place(const char* path) const;
  Result<void> whiteout(const Place& at);
  Result<void> make(archive* tar, archive_entry* entry, const Place& at);
  Result<void> make_file(archive* tar, archive_entry* entry, const Place& at);
  Result<void> make_hardlink(const char* target, const Place& at);
  Result<void> dress(int fd, archive_entry* entry, mode_t mode) const;
  /// Removes what earlier layers brought beneath `folder`; what this one brought stays.
  Result<void> clear(int folder, size_t depth) const;
  Result<void> remove(int parent, const std::string& name, size_t depth) const;
  bool is_new(const struct stat& st) const { return new_inodes_.contains(st.st_ino); }
  void remember(int parent, const std::string& name);

  const UniqueFd& root_;
  UnpackBudget& budget_;
  std::set<ino_t> new_inodes_;  ///< of this layer; at most the budget's entries
};

Result<std::vector<std::string>> Unpacker::split(const char* path) const {
  if (path == nullptr) return bad_layer("an entry has no name");
  std::string_view text = path;
  if (text.size() > kLayerPathMax) return bad_layer("a path is longer than 4096 bytes");
  std::vector<std::string> names;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('/', begin), text.size());
    auto name = text.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty() || name == ".") continue;
    if (name == "..") return bad_layer("\"" + std::string(text) + "\" climbs out of the image");
    names.emplace_back(name);
  }
  if (names.size() > kLayerDepthMax) return bad_layer("a path is more than 256 folders deep");
  return names;
}

Result<Place> Unpacker::place(const char* path) const {
  MIZAN_TRY(names, split(path));
  if (names.empty()) return Place{open_at2(root_.get(), ".", O_RDONLY | O_DIRECTORY, 0, 0), ""};
  std::string name = names.back();
  names.pop_back();
  std::string folder = ".";
  for (const auto& part : names) folder += "/" + part;
  auto parent = open_at2(root_.get(), folder, O_RDONLY | O_DIRECTORY, 0, RESOLVE_IN_ROOT);
  if (parent) return Place{std::move(parent), name};
  if (errno != ENOENT) return fail_errno("unpack into \"" + folder + "\"", errno);
  // A layer may leave its folders' own entries out.
  parent = open_at2(root_.get(), ".", O_RDONLY | O_DIRECTORY, 0, 0);
  std::string walked = ".";
  for (const auto& part : names) {
    walked += "/" + part;
    auto next = open_at2(root_.get(), walked, O_RDONLY | O_DIRECTORY, 0, RESOLVE_IN_ROOT);
    if (!next) {
      if (errno != ENOENT) return fail_errno("unpack into \"" + walked + "\"", errno);
      if (::mkdirat(parent.get(), part.c_str(), 0755) != 0)
        return errno == EEXIST ? bad_layer("\"" + walked + "\" is a link that leads nowhere")
                               : fail_errno("unpack into \"" + walked + "\"", errno);
      next = open_at2(parent.get(), part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_BENEATH);
      if (!next) return fail_errno("unpack into \"" + walked + "\"", errno);
    }
    parent = std::move(next);
  }
  return Place{std::move(parent), name};
}

Result<void> Unpacker::remove(int parent, const std::string& name, size_t depth) const {
  struct stat st {};
  if (::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? Result<void>{} : fail_errno("replace \"" + name + "\"", errno);
  if (!S_ISDIR(st.st_mode)) {
    if (::unlinkat(parent, name.c_str(), 0) != 0)
      return fail_errno("replace \"" + name + "\"", errno);
    return {};
  }
  auto folder = open_at2(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_BENEATH);
  if (!folder) return fail_errno("replace \"" + name + "\"", errno);
  MIZAN_CHECK(clear(folder.get(), depth + 1));
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOTEMPTY)
    return fail_errno("replace \"" + name + "\"", errno);
  return {};
}

Result<void> Unpacker::clear(int folder, size_t depth) const {
  if (depth > kLayerDepthMax) return bad_layer("its folders are nested too deeply");
  MIZAN_TRY(names, names_in(UniqueFd(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))));
  for (const auto& name : names) {
    struct stat st {};
    if (::fstatat(folder, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!is_new(st)) {
      MIZAN_CHECK(remove(folder, name, depth));
    } else if (S_ISDIR(st.st_mode)) {
      auto inner = open_at2(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_BENEATH);
      if (inner) MIZAN_CHECK(clear(inner.get(), depth + 1));
    }
  }
  return {};
}

void Unpacker::remember(int parent, const std::string& name) {
  struct stat st {};
  if (::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) new_inodes_.insert(st.st_ino);
}

Result<void> Unpacker::whiteout(const Place& at) {
  if (at.name == kOpaque) return clear(at.parent.get(), 0);
  std::string hidden = at.name.substr(kWhiteout.size());
  if (hidden.empty() || hidden == "." || hidden == "..")
    return bad_layer("a whiteout names nothing");
  if (hidden.starts_with(kWhiteout)) return {};  // other notes of AUFS, without meaning here
  struct stat st {};
  if (::fstatat(at.parent.get(), hidden.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && is_new(st))
    return {};
  return remove(at.parent.get(), hidden, 0);
}

Result<void> Unpacker::dress(int fd, archive_entry* entry, mode_t mode) const {
  auto id = [](la_int64_t wanted) {
    return wanted >= 0 && wanted <= kIdMax ? static_cast<uint32_t>(wanted) : kNobody;
  };
  timespec time{archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
  timespec times[2] = {time, time};
  if (::fchown(fd, id(archive_entry_uid(entry)), id(archive_entry_gid(entry))) != 0 ||
      ::fchmod(fd, mode) != 0)
    return fail_errno("set a file's owner", errno);
  (void)::futimens(fd, times);
  return {};
}

Result<void> Unpacker::make_file(archive* tar, archive_entry* entry, const Place& at) {
  auto size = archive_entry_size(entry);
  if (size < 0 || static_cast<uint64_t>(size) > budget_.bytes)
    return fail(ErrorCode::too_large, "image: it is larger, unpacked, than this provider takes");
  UniqueFd file(::openat(at.parent.get(), at.name.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail_errno("unpack \"" + at.name + "\"", errno);
  if (::ftruncate(file.get(), size) != 0) return fail_errno("unpack \"" + at.name + "\"", errno);
  const void* data = nullptr;
  size_t bytes = 0;
  la_int64_t offset = 0;
  while (true) {
    int got = archive_read_data_block(tar, &data, &bytes, &offset);
    if (got == ARCHIVE_EOF) break;
    if (got == ARCHIVE_RETRY) continue;
    if (got != ARCHIVE_OK) return bad_layer(reason(tar));
    if (bytes > budget_.bytes)
      return fail(ErrorCode::too_large, "image: it is larger, unpacked, than this provider takes");
    budget_.bytes -= bytes;
    for (size_t done = 0; done < bytes;) {
      ssize_t n = ::pwrite(file.get(), static_cast<const char*>(data) + done, bytes - done,
                           offset + static_cast<off_t>(done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno("unpack \"" + at.name + "\"", errno);
      done += static_cast<size_t>(n);
    }
  }
  return dress(file.get(), entry, archive_entry_perm(entry) & 0777);
}

Result<void> Unpacker::make_hardlink(const char* target, const Place& at) {
  MIZAN_TRY(names, split(target));
  std::string path = ".";
  for (const auto& name : names) path += "/" + name;
  auto file = open_at2(root_.get(), path, O_PATH | O_NOFOLLOW, 0, RESOLVE_IN_ROOT);
  struct stat st {};
  if (!file || ::fstat(file.get(), &st) != 0)
    return bad_layer("\"" + at.name + "\" is a link to \"" + path + "\", which is not there");
  if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
    return bad_layer("\"" + at.name + "\" is a hard link to something that is no file");
  if (::linkat(file.get(), "", at.parent.get(), at.name.c_str(), AT_EMPTY_PATH) != 0)
    return fail_errno("link \"" + at.name + "\"", errno);
  return {};
}

Result<void> Unpacker::make(archive* tar, archive_entry* entry, const Place& at) {
  int parent = at.parent.get();
  auto type = archive_entry_filetype(entry);
  const char* hardlink = archive_entry_hardlink(entry);
  struct stat st {};
  bool exists = ::fstatat(parent, at.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (hardlink == nullptr && type == AE_IFDIR) {
    if (exists && !S_ISDIR(st.st_mode)) {
      MIZAN_CHECK(remove(parent, at.name, 0));
      exists = false;
    }
    if (!exists && ::mkdirat(parent, at.name.c_str(), 0700) != 0)
      return fail_errno("unpack \"" + at.name + "\"", errno);
    auto folder =
        open_at2(parent, at.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_BENEATH);
    if (!folder) return fail_errno("unpack \"" + at.name + "\"", errno);
    return dress(folder.get(), entry, archive_entry_perm(entry) & 01777);
  }
  if (hardlink == nullptr && type != AE_IFREG && type != AE_IFLNK) return {};  // left out
  if (exists) {
    if (S_ISDIR(st.st_mode)) new_inodes_.erase(st.st_ino);
    MIZAN_CHECK(remove(parent, at.name, 0));
  }
  if (hardlink != nullptr) return make_hardlink(hardlink, at);
  if (type == AE_IFREG) return make_file(tar, entry, at);
  const char* target = archive_entry_symlink(entry);
  if (target == nullptr || ::symlinkat(target, parent, at.name.c_str()) != 0)
    return bad_layer("the link \"" + at.name + "\" cannot be made");
  return {};
}

Result<void> Unpacker::entry(archive* tar, archive_entry* entry) {
  if (budget_.entries == 0 || budget_.bytes < kEntryCost)
    return fail(ErrorCode::too_large, "image: it holds more files than this provider takes");
  budget_.entries -= 1;
  budget_.bytes -= kEntryCost;
  MIZAN_TRY(at, place(archive_entry_pathname(entry)));
  if (!at.parent) return fail_errno("unpack the image", errno);
  if (at.name.empty()) return {};
  if (at.name.starts_with(kWhiteout)) return whiteout(at);
  MIZAN_CHECK(make(tar, entry, at));
  remember(at.parent.get(), at.name);
  return {};
}

}  // namespace

Result<void> unpack_layer(const fs::path& blob, const std::string& blob_digest,
                          const std::string& tar_digest, const UniqueFd& root,
                          UnpackBudget& budget) {
  Stream stream;
  stream.file.reset(::open(blob.c_str(), O_RDONLY | O_CLOEXEC));
  if (!stream.file) return fail_errno("open the image's blob " + blob.string(), errno);
  stream.plain_bytes_left = 2 * budget.bytes + (64 << 20);
  archive* inflate = stream.inflate.get();
  // Only these two: other filters of libarchive start programs.
  archive_read_support_filter_gzip(inflate);
  archive_read_support_filter_zstd(inflate);
  archive_read_support_format_raw(inflate);
  archive_entry* entry = nullptr;
  if (archive_read_open(inflate, &stream, nullptr, Stream::read_blob, nullptr) != ARCHIVE_OK ||
      archive_read_next_header(inflate, &entry) != ARCHIVE_OK)
    return bad_layer(reason(inflate));

  Archive tar{archive_read_new(), archive_read_free};
  archive_read_support_format_tar(tar.get());
  if (archive_read_open(tar.get(), &stream, nullptr, Stream::read_plain, nullptr) != ARCHIVE_OK)
    return bad_layer(reason(tar.get()));
  Unpacker unpacker(root, budget);
  while (true) {
    int got = archive_read_next_header(tar.get(), &entry);
    if (got == ARCHIVE_EOF) break;
    if (got == ARCHIVE_RETRY) continue;
    if (got != ARCHIVE_OK && got != ARCHIVE_WARN) return bad_layer(reason(tar.get()));
    MIZAN_CHECK(unpacker.entry(tar.get(), entry));
  }
  // The digests cover what follows the tar's end, too.
  const void* rest = nullptr;
  la_ssize_t n;
  while ((n = Stream::read_plain(tar.get(), &stream, &rest)) > 0) continue;
  if (n < 0) return bad_layer(reason(tar.get()));
  while ((n = Stream::read_blob(inflate, &stream, &rest)) > 0) continue;
  if (n < 0) return bad_layer(reason(inflate));
  if (stream.blob_hash.finish() != blob_digest)
    return bad_layer("the blob is not the one that the manifest names (its SHA-256 differs)");
  if (stream.tar_hash.finish() != tar_digest)
    return bad_layer(
        "its contents are not those that the image's config names (the SHA-256 differs)");
  return {};
}

}  // namespace mizan::sandbox
