// conmon: creates a job's container and stays with it, whatever becomes of the agent.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/cgroups.hpp"
#include "sandbox/job_files.hpp"

#include <cstdint>
#include <string>

namespace mizan::sandbox {

struct Tools {
  std::string runtime, conmon, init, copy;  ///< paths of runc or crun, conmon, catatonit, cp
};

struct Monitored {
  ProcessId monitor, init;
};

/// Has conmon create the container of the bundle in `files.run` (30 to 50 ms). The container's
/// process waits for the runtime's start. `short_name` keeps the path of conmon's socket short.
Result<Monitored> create_container(const JobFiles& files, const Tools& tools,
                                   const CgroupMounts& cgroups, const std::string& short_name,
                                   uint64_t log_bytes);

/// Kills every process that was started for the bundle in `run` (conmon, a runtime that is still
/// creating): for a job whose making was cut off, of which no process number was written down.
void kill_by_bundle(const fs::path& run);

/// Waits, for at most `timeout_ms`, until no `RUNTIME start ID` runs any more: an agent that was
/// killed may have left one behind, and cutting it short would break the container.
void wait_for_starts(const std::string& id, int timeout_ms);

}  // namespace mizan::sandbox
