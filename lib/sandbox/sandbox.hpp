// Sandbox: runs jobs as OCI bundles by runc or crun, each under a conmon of its own.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/outputs.hpp"
#include "sandbox/spec.hpp"
#include "sandbox/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace mizan::sandbox {

struct Options {
  /// Disks, unpacked images, logs and the jobs' state, on a file system with room for the disks.
  /// Made 0711 if absent. One agent at a time owns it.
  std::filesystem::path state_folder;
  /// Bundles (they hold the jobs' environment) and the runtime's own state. If it is on no tmpfs
  /// one is mounted there, so that secrets never reach a disk and nothing waits for fsync; it goes
  /// with the last job and the agent. Empty: a folder of its own beneath claims_folder.
  std::filesystem::path run_folder;
  /// Claims on user ids and CPUs that all agents of the machine share.
  std::filesystem::path claims_folder = "/run/mizan";
  std::string runtime;  ///< path of runc or crun; empty: whichever works here
  /// Disks kept formatted and mounted, so that prepare() need not wait 25 ms for one. Only a job
  /// that asks for exactly pool_disk_bytes gets one of them; the others' are made on demand.
  uint32_t pool_disks = 0;
  uint64_t pool_disk_bytes = 0;
  uint64_t image_bytes_max = 64ULL << 30;  ///< unpacked, an OCI image; larger ones are refused
  std::vector<std::filesystem::path> cdi_folders = {"/etc/cdi", "/var/run/cdi"};
};

enum class CgroupVersion { v1, v2 };

/// What the machine offers. With anything in `missing` no job can be run.
struct Capabilities {
  std::string runtime;          ///< path of the chosen runtime
  std::string runtime_version;  ///< its first line of --version
  CgroupVersion cgroups = CgroupVersion::v2;
  std::vector<std::string> missing;   ///< sentences: what is missing and what to do about it
  std::vector<std::string> warnings;  ///< sentences: works, but less well
};

/// Looks at the machine: root, tools, cgroups, kernel features. Runs `RUNTIME --version`, nothing
/// else; about 20 ms. Leaves nothing behind.
Capabilities probe(const Options& options);

enum class Phase { created, running, exited };

enum class EndReason {
  exited,            ///< by itself, or by a signal (code 128 + signal)
  out_of_memory,     ///< the kernel killed in it at the memory limit, and it failed
  monitor_lost,      ///< its conmon was killed; the job was then killed too, its code is unknown
  machine_restarted  ///< the machine was started again while it ran; its disk is lost
};
std::string_view to_string(EndReason reason);

/// Where a job stands.
struct State {
  Phase phase = Phase::created;
  pid_t pid = 0;  ///< of the job's first process as the host sees it, while created or running
  /// Milliseconds from start() to now or to the end, by CLOCK_BOOTTIME: right across restarts of
  /// the agent and jumps of the wall clock. The end is known to 10 ms (and never late by more than
  /// conmon takes to write the log's rest). After `monitor_lost` it runs to the moment at which the
  /// loss was found; after `machine_restarted` it is 0: unknown.
  uint64_t ran_ms = 0;
  int exit_code = 0;  ///< once exited; 137 where it is unknown
  EndReason reason = EndReason::exited;
  bool memory_limit_hit = false;  ///< something in it was killed for memory, even if it went on
  bool pids_limit_hit = false;    ///< a fork was refused
  bool disk_full = false;         ///< its disk had no block or inode left when last looked at
  bool log_full = false;          ///< output past log_bytes was dropped
};

struct Found {
  std::string id;
  State state;
};

/// All facts live in files beneath the two folders, so an agent killed at any instant finds its
/// jobs again by recover(). Thread-safe for calls about different ids; calls about one id must not
/// overlap. All calls block, for about the time that each one states. Never throws.
class Sandbox {
 public:
  /// Makes the folders and the seccomp list (20 to 40 ms).
  /// Fails with the sentences of Capabilities::missing if the machine cannot run jobs.
  static Result<Sandbox> open(Options options);
  Sandbox(Sandbox&&) noexcept;
  Sandbox& operator=(Sandbox&&) noexcept;
  /// Stops the pool's thread. Jobs go on.
  ~Sandbox();

  const Capabilities& capabilities() const;

  /// What is found of earlier lives of the agent: whole jobs are listed, half-made and
  /// half-destroyed ones removed, disks and claims that belong to nobody given back. Call it once,
  /// before anything else; it also starts the thread that fills the pool and deletes used disks.
  Result<std::vector<Found>> recover();
  /// The ids of the jobs that are there, in order.
  std::vector<std::string> list() const;

  /// Disk, root, bundle, and the container created but not started: all that is slow (40 to 60 ms
  /// with a pooled disk, `image: host` and nothing to copy). `already_exists` if the id is there.
  /// On failure nothing is left behind.
  Result<void> prepare(const Spec& spec);
  /// Lets the created container run (about 6 ms). A second start is `conflict`.
  Result<void> start(const std::string& id);

  /// Reads files only (under 1 ms); `not_found` for an id that is not there.
  Result<State> state(const std::string& id) const;
  /// A descriptor that polls readable once the job has exited and its code, end time and log are in
  /// their files. It is a pidfd: wait on it, never read it. Readable at once for a job that has
  /// ended.
  Result<UniqueFd> exit_notice(const std::string& id) const;

  /// Sends `signal` to those processes of the job that handle it (a handler is installed), on each
  /// branch of the process tree only to the one nearest to the root, so that a checkpoint signal
  /// does not kill the shell around the trainer. Says to how many. Where nobody handles a stop
  /// signal the answer is 0: kill() at once instead of waiting for the grace to end.
  Result<size_t> signal(const std::string& id, int signal);
  /// SIGKILL to every process of the job. Returns at once; exit_notice() tells the end.
  Result<void> kill(const std::string& id);

  /// conmon's log of the job's standard output and error; read it with LogReader.
  std::filesystem::path log_path(const std::string& id) const;
  /// The job's files, for reading outputs and checkpoints, while it runs or after its end.
  Result<OutputTree> outputs(const std::string& id) const;

  /// Kills what still runs and removes every trace: mounts, bundle, log, cgroup, claims, and soon
  /// after the disk's file, in the pool's thread. 20 to 40 ms. Does nothing, successfully, for an
  /// id that is not there.
  Result<void> destroy(const std::string& id);

  /// The folder of the job's config.json; its root is mounted beside it. To run the same bundle by
  /// hand, copy config.json with another cgroupsPath into a folder of mode 0711.
  std::filesystem::path bundle_path(const std::string& id) const;

  /// Blocks until the pool is full or the deadline passes (for benchmarks and tests).
  bool wait_for_pool(uint64_t timeout_ms);

 private:
  struct Impl;
  explicit Sandbox(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mizan::sandbox
