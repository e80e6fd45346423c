#include "crypto/private_file.hpp"

#include "crypto/random.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace mizan {
namespace {

tl::unexpected<Error> io_error(const std::string& what, const std::string& path) {
  const int number = errno;
  return fail(Error{number == ENOENT ? ErrorCode::not_found : ErrorCode::io_error,
                    what + " " + path + ": " + std::generic_category().message(number),
                    {{"path", path}, {"errno", std::to_string(number)}}});
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_;
};

Result<void> write_all(int fd, ByteView content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t done = ::write(fd, content.data(), content.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return io_error("cannot write", path);
    content = content.subspan(static_cast<size_t>(done));
  }
  return {};
}

Result<void> fill_and_rename(const std::string& temporary, const std::string& path,
                             const std::string& folder, ByteView content) {
  {
    const Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.open()) return io_error("cannot create", temporary);
    MIZAN_CHECK(write_all(file.get(), content, temporary));
    if (::fsync(file.get()) != 0) return io_error("cannot make durable", temporary);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return io_error("cannot rename to", path);
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.open() || ::fsync(directory.get()) != 0)
    return io_error("cannot make durable", folder);
  return {};
}

}  // namespace

Result<void> write_private_file(const std::string& path, ByteView content) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string temporary = path + "." + hex(random_bytes(8)) + ".tmp";
  auto done = fill_and_rename(temporary, path, folder, content);
  if (!done) ::unlink(temporary.c_str());
  return done;
}

Result<std::string> read_private_file(const std::string& path, size_t max_bytes) {
  // Non-blocking, so that a pipe in the file's place cannot hang the caller.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.open()) return io_error("cannot open", path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return io_error("cannot inspect", path);
  if (!S_ISREG(status.st_mode))
    return fail(ErrorCode::invalid_argument, path + " is not a regular file");
  if ((status.st_mode & 077) != 0)
    return fail(ErrorCode::forbidden,
                path + " can be read or written by others than its owner: run chmod 600 " + path);
  std::string content;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("cannot read", path);
    if (got == 0) break;
    if (content.size() + static_cast<size_t>(got) > max_bytes)
      return fail(ErrorCode::too_large,
                  path + " is larger than " + std::to_string(max_bytes) + " bytes");
    content.append(buffer.data(), static_cast<size_t>(got));
  }
  wipe(std::span<uint8_t>(reinterpret_cast<uint8_t*>(buffer.data()), buffer.size()));
  return content;
}

}  // namespace mizan
