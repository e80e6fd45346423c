#include "service/files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace mizan::service {

Error file_error(std::string_view doing, const std::filesystem::path& file) {
  const int number = errno;
  return Error{ErrorCode::io_error,
               "cannot " + std::string(doing) + " " + file.string() + ": " +
                   std::generic_category().message(number),
               {}}
      .with("errno", number == ENOSPC ? "ENOSPC" : std::to_string(number));
}

Result<void> write_all(int descriptor, ByteView bytes, uint64_t offset,
                       const std::filesystem::path& file) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pwrite(descriptor, bytes.data() + done, bytes.size() - done,
                               static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(file_error("write", file));
    done += static_cast<size_t>(n);
  }
  return {};
}

Result<void> sync_folder(const std::filesystem::path& folder) {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.open() || ::fsync(opened.get()) != 0) return fail(file_error("sync", folder));
  return {};
}

Result<void> make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return fail(ErrorCode::io_error, "cannot make " + folder.string() + ": " + error.message());
  const std::filesystem::path parent = folder.parent_path();
  return sync_folder(parent.empty() ? "." : parent);
}

}  // namespace mizan::service
