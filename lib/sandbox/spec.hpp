// Spec: what one job needs of the sandbox. Plain values; whoever fills them has read the job file.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace mizan::sandbox {

/// What a job may use. Every field is a hard bound; none may be zero.
struct Limits {
  uint32_t cores = 1;  ///< vCPUs; CPUs of its own when enough are free, a time quota otherwise
  uint64_t memory_bytes = 512ULL << 20;  ///< with swap, /dev/shm and page cache counted in
  uint64_t disk_bytes = 1ULL << 30;      ///< everything the job writes; at least 16 MiB
  uint64_t pids = 1024;                  ///< processes and threads
  uint64_t open_files = 16384;           ///< a process; cut to the agent's own hard limit
  uint64_t log_bytes = 64ULL << 20;      ///< of the log's file; the first bytes are kept
};

/// A file or folder of the host that is copied onto the job's disk before it starts. Regular files,
/// folders and symbolic links are copied (links as they are, never followed); anything else is an
/// error. Set-id bits are dropped. The copy counts against disk_bytes and belongs to the job's
/// user.
struct Copy {
  std::filesystem::path from;  ///< on the host, absolute
  std::string into;            ///< in the job, absolute: the name that `from` gets there
};

struct Spec {
  /// The job's name here and in the cgroups: lower-case hex, 8 to 64 characters (a lease's id).
  std::string id;
  /// "host", or the path of an OCI image layout folder, with ":tag" where it holds more than one.
  std::string image = "host";
  std::vector<std::string>
      argv;  ///< argv[0] is looked up in PATH inside; for a script {"/bin/sh", "-c", text}
  std::vector<std::pair<std::string, std::string>>
      env;                           ///< may hold secrets: kept in one 0600 file
  std::string cwd = "/workdir";      ///< absolute; made if absent; the job's user owns it
  std::vector<Copy> copies;          ///< the working tree, a checkpoint to resume from
  std::vector<std::string> folders;  ///< absolute; made empty and writable (the checkpoint's path)
  std::vector<std::string> devices;  ///< CDI names of the lease, "vendor.com/class=name"
  std::string hostname = "job";
  Limits limits;
};

/// What is wrong with the spec by itself (names, absolute paths, bounds); details["field"] names
/// it.
Result<void> check(const Spec& spec);

}  // namespace mizan::sandbox
