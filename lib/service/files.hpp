// The few file operations that the service's stores share. Internal to lib/service.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <filesystem>
#include <utility>

namespace mizan::service {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();
  int get() const { return number_; }
  bool open() const { return number_ >= 0; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

/// io_error with errno's words: "cannot write FILE: No space left on device".
Error file_error(std::string_view doing, const std::filesystem::path& file);
Result<void> write_all(int descriptor, ByteView bytes, uint64_t offset,
                       const std::filesystem::path& file);
/// Makes a rename or a new file in `folder` durable.
Result<void> sync_folder(const std::filesystem::path& folder);

}  // namespace mizan::service
