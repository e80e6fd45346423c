// JobFiles: all that is known about one job, in files, so that a killed agent's heir finds it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/cgroups.hpp"
#include "sandbox/sandbox.hpp"
#include "sandbox/sys.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mizan::sandbox {

/// Written twice: before anything is made (so that it can be found and removed), and again, whole,
/// once the container is created.
struct JobRecord {
  std::string boot;   ///< the kernel's run in which it was made
  std::string disk;   ///< name among the disks
  uint32_t ids = 0;   ///< number of its range of user ids
  bool made = false;  ///< everything below is valid and the job is there
  ProcessId monitor;  ///< conmon
  ProcessId init;     ///< the job's first process
  uint64_t log_bytes = 0;
};

/// The places of one job and what is written there. Reading needs no lock: each fact is a file that
/// appears in one step.
class JobFiles {
 public:
  JobFiles(const fs::path& state_folder, const fs::path& run_folder, const std::string& job_id)
      : id(job_id),
        kept(state_folder / "jobs" / id),
        run(run_folder / "jobs" / id),
        sockets(run_folder / "s"),
        runtime_root(run_folder / "runtime") {}

  const std::string id;
  const fs::path kept;          ///< on disk: record, log
  const fs::path run;           ///< on a tmpfs, gone after a restart: bundle, sockets, mount points
  const fs::path sockets;       ///< conmon's links to `run`, short because a socket's path must be
  const fs::path runtime_root;  ///< the runtime's own state, of all jobs

  fs::path log() const { return kept / "log"; }
  fs::path root() const { return run / "root"; }    ///< where the overlay is mounted
  fs::path lower() const { return run / "lower"; }  ///< where an image is mounted with shifted ids
  fs::path exit_folder() const { return run / "exit"; }
  fs::path ended() const { return run / "ended"; }        ///< /proc/uptime as it was at the end
  fs::path starting() const { return run / "starting"; }  ///< boot time in ms, before start
  fs::path started() const { return run / "started"; }    ///< the same, once it is known to run
  fs::path lost() const { return run / "lost"; }          ///< boot time in ms, monitor found dead

  Result<JobRecord> read_record() const;
  Result<void> write_record(const JobRecord& record) const;
  Result<void> write_time(const fs::path& file) const;
  std::optional<uint64_t> read_time(const fs::path& file) const;

  /// The exit code that conmon left, once the end time is there, too (or conmon is gone).
  std::optional<int> exit_code(bool monitor_gone) const;
  /// Milliseconds from the start to `ended`, or to now.
  uint64_t ran_ms(bool over) const;
  /// Where the job stands. Writes `lost` and kills the job if its monitor has died.
  Result<State> state(const CgroupMounts& cgroups) const;
};

}  // namespace mizan::sandbox
