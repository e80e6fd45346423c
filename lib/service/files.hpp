// The few file operations that the service's stores share. Internal to lib/service.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "transfer/descriptor.hpp"

#include <filesystem>

namespace mizan::service {

using transfer::Descriptor;

/// io_error with errno's words: "cannot write FILE: No space left on device".
Error file_error(std::string_view doing, const std::filesystem::path& file);
Result<void> write_all(int descriptor, ByteView bytes, uint64_t offset,
                       const std::filesystem::path& file);
/// Makes a rename or a new file in `folder` durable.
Result<void> sync_folder(const std::filesystem::path& folder);
/// Makes the folder if there is none; its name is durable when it returns, and so are those of its
/// neighbours.
Result<void> make_folder(const std::filesystem::path& folder);

}  // namespace mizan::service
