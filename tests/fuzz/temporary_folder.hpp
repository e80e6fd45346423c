// A folder in memory, where the machine has such a place, that goes with the input.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/ensure.hpp"

#include <filesystem>
#include <string>
#include <unistd.h>

namespace mizan::fuzz {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    std::string pattern = std::string(memory ? "/dev/shm" : "/tmp") + "/mizan_fuzz_XXXXXX";
    ensure(::mkdtemp(pattern.data()) != nullptr, "a temporary folder can be made");
    path = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path path;
};

}  // namespace mizan::fuzz
