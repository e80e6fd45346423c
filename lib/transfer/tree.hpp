// Whole trees as archives: packed for the journey, unpacked from strangers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "transfer/tar_writer.hpp"

namespace mizan::transfer {

/// Packs all that is beneath `folder`: files, folders and links that stay inside. The same tree
/// gives the same bytes: entries stand in the order of their names' bytes, times are one fixed
/// date, owners 0, and of the modes only the owner's x counts. A link that leaves the tree, a
/// socket, a device or a fifo is an error that names it. Nothing outside `folder` is read.
Result<ArchiveSummary> pack_tree(const std::filesystem::path& folder, const ByteSink& sink,
                                 const ArchiveLimits& limits = {});
/// The same into a file.
Result<Digest> pack_tree_to_file(const std::filesystem::path& folder,
                                 const std::filesystem::path& archive,
                                 const ArchiveLimits& limits = {});

/// Unpacks a tar archive by a stranger into `folder`, which is made if absent. Refused, before
/// anything of the entry is written: names that climb out or are absolute, links that leave, hard
/// links, devices, fifos, set-id bits, an entry that stands there twice or beneath a link, and more
/// than the limits. No link is ever followed. After an error what was unpacked so far lies in
/// `folder`, which the caller removes.
Result<ArchiveSummary> unpack_tree(const ByteSource& source, const std::filesystem::path& folder,
                                   const ArchiveLimits& limits = {});
Result<ArchiveSummary> unpack_tree_from_file(const std::filesystem::path& archive,
                                             const std::filesystem::path& folder,
                                             const ArchiveLimits& limits = {});

}  // namespace mizan::transfer
