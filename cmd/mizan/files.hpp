// Small files of the home: written whole and durable, closed to others; and locks on them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <boost/json/value.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace mizan::cli {

namespace fs = std::filesystem;

/// Makes the folder and its missing parents, mode 0700. An existing one is left as it is.
Result<void> make_private_folder(const fs::path& folder);

/// Replaces `path` by a file of mode 0600 that is on the disk when this returns: a crash leaves the
/// old content or the new.
Result<void> write_small_file(const fs::path& path, std::string_view text);

/// The whole file, at most `bytes_max`; not_found if there is none.
Result<std::string> read_small_file(const fs::path& path, size_t bytes_max = 1 << 20);

/// As read_small_file and parse_json; the path stands in messages.
Result<boost::json::value> read_json_file(const fs::path& path);
Result<void> write_json_file(const fs::path& path, const boost::json::value& value);

/// An exclusive lock on a file (made if missing, mode 0600), held until the object goes or the
/// process ends, however it ends.
class FileLock {
 public:
  static Result<FileLock> wait(const fs::path& path);
  /// Nothing if another process holds it.
  static Result<std::optional<FileLock>> attempt(const fs::path& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  static Result<int> open(const fs::path& path);
  int descriptor_ = -1;
};

}  // namespace mizan::cli
