// TreeWriter: puts files onto a job's disk before the job starts.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/sys.hpp"

#include <string>
#include <string_view>

namespace mizan::sandbox {

/// Whom a file on the job's disk belongs to, as the host numbers it.
struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
};

/// Writes beneath one folder and never outside: paths are walked name by name, and a name that is a
/// link or a file where a folder is needed is an error. Paths are absolute as the job sees them,
/// already checked for "..".
class TreeWriter {
 public:
  static Result<TreeWriter> open(const fs::path& root);

  /// Makes the folder with its parents; what is new gets `owner` and `mode`, what is there stays.
  Result<void> folder(const std::string& path, Owner owner, mode_t mode = 0755);
  Result<void> file(const std::string& path, std::string_view text, Owner owner,
                    mode_t mode = 0644);
  Result<void> link(const std::string& path, const std::string& target, Owner owner);
  /// Copies a file or a whole folder of the host to `into`: files, folders and links (as they are,
  /// not followed), permission bits 0777, times. Devices, sockets and fifos are refused.
  /// `too_large` when the disk is full.
  Result<void> copy(const fs::path& from, const std::string& into, Owner owner);

 private:
  explicit TreeWriter(UniqueFd root) : root_(std::move(root)) {}
  Result<UniqueFd> walk(const std::string& path, Owner owner, mode_t mode);

  UniqueFd root_;
};

}  // namespace mizan::sandbox
