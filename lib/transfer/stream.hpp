// Bytes on their way: where an archive goes to and comes from, without holding it in memory.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "crypto/hash.hpp"

#include <filesystem>
#include <functional>

namespace mizan::transfer {

/// Takes the next bytes; a failure ends the whole transfer with its error.
using ByteSink = std::function<Result<void>(ByteView)>;
/// Gives the next bytes, valid until it is called again; empty at the end.
using ByteSource = std::function<Result<ByteView>()>;

/// A name of a stream of bytes: what an artifact is called, and how long it is.
struct Digest {
  Hash32 sha256;
  uint64_t bytes = 0;
};

/// A new file (mode 0600) that is hashed as it is written. Without finish() it is removed again.
class FileSink {
 public:
  static Result<FileSink> create(const std::filesystem::path& path);
  FileSink(FileSink&& other) noexcept;
  FileSink& operator=(FileSink&&) = delete;
  ~FileSink();

  Result<void> write(ByteView bytes);
  /// Closes the file and keeps it.
  Result<Digest> finish();

 private:
  FileSink(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::filesystem::path path_;
  int fd_ = -1;
  Sha256 hash_;
  uint64_t bytes_ = 0;
};

/// Reads a file in pieces of 256 KiB; keeps it open as long as the function lives.
Result<ByteSource> file_source(const std::filesystem::path& path);

Result<Digest> digest_of_file(const std::filesystem::path& path);

/// io_error with what the system said: "PATH: could not VERB: No such file or directory".
tl::unexpected<Error> system_error(const std::filesystem::path& path, const std::string& verb);

}  // namespace mizan::transfer
