// Images from OCI layout folders, unpacked once and kept by digest.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/bundle.hpp"
#include "sandbox/sys.hpp"

#include <cstdint>
#include <mutex>
#include <string>

namespace mizan::sandbox {

struct Image {
  std::string digest;  ///< of its manifest, lower-case hex
  fs::path root;       ///< its files, owned by the ids that the image gives them
  JobUser user;
};

/// Unpacked images in FOLDER/DIGEST. Thread-safe; one is unpacked at a time.
class ImageStore {
 public:
  ImageStore(fs::path folder, uint64_t bytes_max)
      : folder_(std::move(folder)), bytes_max_(bytes_max) {}

  /// `reference` is a layout folder, with ":tag" where it holds more than one image. Unpacks it if
  /// it is not there yet (a few seconds a gigabyte). All digests are checked.
  Result<Image> get(const std::string& reference);
  /// Removes what an unpacking that was cut off has left.
  Result<void> sweep();

 private:
  fs::path folder_;
  uint64_t bytes_max_;
  std::mutex mutex_;
};

}  // namespace mizan::sandbox
