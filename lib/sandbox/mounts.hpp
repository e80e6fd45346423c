// Mounts, by system call: loop devices, overlays, shifted trees.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/sys.hpp"

#include <cstdint>

namespace mizan::sandbox {

/// Mounts the ext4 in the file `image` on `target` through a loop device that goes away with the
/// mount: nodev, nosuid, noatime.
Result<void> mount_disk(const fs::path& image, const fs::path& target);

/// An overlay of `upper` over `lower` on `target`: nodev, nosuid; `volatile`, since nobody reads
/// the upper folder after the machine was restarted and a job's fsync is then free.
Result<void> mount_overlay(const fs::path& lower, const fs::path& upper, const fs::path& work,
                           const fs::path& target);

/// Shows `source` on `target`, read-only, with the user and group ids 0..count-1 of the file system
/// shown as base..base+count-1 (an id-mapped mount: Linux 5.12, and 5.19 beneath an overlay).
Result<void> mount_shifted(const fs::path& source, const fs::path& target, uint32_t base,
                           uint32_t count);

/// Makes sure that what is written in `folder` stays in memory: mounts a tmpfs there unless it lies
/// on one already.
Result<void> keep_in_memory(const fs::path& folder);
/// Takes away the tmpfs that keep_in_memory mounted there, and nothing else.
Result<void> let_go(const fs::path& folder);

/// Takes away whatever is mounted on `target`, however often; nothing there is fine. A mount in use
/// is detached: it goes when its last user does.
Result<void> unmount(const fs::path& target);

}  // namespace mizan::sandbox
