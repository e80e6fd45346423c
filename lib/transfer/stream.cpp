#include "transfer/stream.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <system_error>
#include <unistd.h>

namespace mizan::transfer {
namespace {

constexpr size_t kPieceBytes = size_t{256} << 10;

struct OpenFile {
  std::filesystem::path path;
  int fd;
  Bytes buffer = Bytes(kPieceBytes);
  ~OpenFile() { ::close(fd); }
};

}  // namespace

tl::unexpected<Error> system_error(const std::filesystem::path& path, const std::string& verb) {
  const int code = errno;
  return fail(
      Error{code == ENOENT ? ErrorCode::not_found : ErrorCode::io_error,
            path.string() + ": could not " + verb + ": " + std::generic_category().message(code)}
          .with("errno", std::to_string(code)));
}

Result<FileSink> FileSink::create(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return system_error(path, "make the file");
  return FileSink(path, fd);
}

FileSink::FileSink(FileSink&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      hash_(std::move(other.hash_)),
      bytes_(other.bytes_) {}

FileSink::~FileSink() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(path_.c_str());
}

Result<void> FileSink::write(ByteView bytes) {
  hash_.update(bytes);
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path_, "write");
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Result<Digest> FileSink::finish() {
  if (::close(std::exchange(fd_, -1)) != 0) {
    auto error = system_error(path_, "write");
    ::unlink(path_.c_str());
    return error;
  }
  return Digest{hash_.finish(), bytes_};
}

Result<ByteSource> file_source(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return system_error(path, "open");
  const std::shared_ptr<OpenFile> file(new OpenFile{path, fd});
  return [file]() -> Result<ByteView> {
    while (true) {
      const ssize_t n = ::read(file->fd, file->buffer.data(), file->buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_error(file->path, "read");
      return ByteView(file->buffer.data(), static_cast<size_t>(n));
    }
  };
}

Result<Digest> digest_of_file(const std::filesystem::path& path) {
  MIZAN_TRY(source, file_source(path));
  Sha256 hash;
  uint64_t bytes = 0;
  while (true) {
    MIZAN_TRY(piece, source());
    if (piece.empty()) return Digest{hash.finish(), bytes};
    hash.update(piece);
    bytes += piece.size();
  }
}

}  // namespace mizan::transfer
