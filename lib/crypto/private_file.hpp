// Files that only their owner may read: keys, passphrases, login keys.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

namespace mizan {

/// Replaces `path` by a file of mode 0600 with this content, atomically and durably: after a crash
/// there is the old file or the new one, whole. An io_error names the path and the reason.
Result<void> write_private_file(const std::string& path, ByteView content);

/// The content of a regular file that neither group nor others may read or write (forbidden
/// otherwise, with the command that mends it); at most `max_bytes` (too_large). not_found if
/// absent.
Result<std::string> read_private_file(const std::string& path, size_t max_bytes = 65'536);

}  // namespace mizan
