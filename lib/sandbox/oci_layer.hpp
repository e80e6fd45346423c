// One layer of an OCI image, unpacked over those before it; every byte of it is hostile.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/sys.hpp"

#include <cstdint>
#include <string>

namespace mizan::sandbox {

/// What may still be unpacked, over all the layers of an image.
struct UnpackBudget {
  uint64_t bytes = 0;
  uint64_t entries = 1'000'000;
};

/// Unpacks the tar (plain, gzip or zstd) in `blob` beneath `root`. Paths are resolved as if `root`
/// were "/", so no name and no link of any layer leads out of it; set-id bits and extended
/// attributes are dropped, devices, sockets and fifos left out, ids above 65535 become 65534;
/// whiteouts remove what earlier layers brought. Both digests (lower-case hex SHA-256, of the file
/// and of the tar in it) are computed on the way: if one differs the error is `corrupted` and what
/// was written must be thrown away, so the caller unpacks into a folder that it renames at the end.
Result<void> unpack_layer(const fs::path& blob, const std::string& blob_digest,
                          const std::string& tar_digest, const UniqueFd& root,
                          UnpackBudget& budget);

}  // namespace mizan::sandbox
