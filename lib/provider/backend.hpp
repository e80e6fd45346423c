// Backend: the place where an agent's jobs run. One machine, a cluster, or a simulation.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "job/job.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace mizan::provider {

/// A job and what it may use: the slice of the node that its lease bought.
struct Workload {
  LeaseId lease;
  job::Job job;
  uint32_t cores = 1;
  uint64_t memory_bytes = 0;
  uint64_t disk_bytes = 0;
  uint64_t seconds = 0;  ///< of the lease
};

/// How a job ended. `reason`: completed, failed, killed, oom, disk_full, monitor_lost,
/// machine_restarted.
struct ExitStatus {
  int32_t exit_code = 0;
  std::string reason;
  uint64_t ran_ms = 0;  ///< from its start to its end
};

enum class JobPhase { prepared, running, exited };

/// A job of an earlier life of the agent.
struct FoundJob {
  LeaseId lease;
  JobPhase phase = JobPhase::prepared;
  uint64_t ran_ms = 0;  ///< until now, while it runs
  ExitStatus exit;      ///< once exited
};

// What a backend tells, each about one lease.
struct Prepared {
  Result<void> result;  ///< `unavailable`: worth another try
};
struct Started {
  Result<void> result;
  uint64_t ran_ms = 0;  ///< since the start
};
struct Exited {
  ExitStatus status;
};
struct LogGrew {};  ///< may be told once for many writes, until the next read_log
struct Collected {
  Result<Hash32> outputs;  ///< SHA-256 of the sealed archive; zero if there was nothing to seal
};
struct Uploaded {
  Result<void> result;  ///< `unavailable`: try again; `not_found`: collect again
};
struct Removed {};

struct BackendEvent {
  LeaseId lease;
  std::variant<Prepared, Started, Exited, LogGrew, Collected, Uploaded, Removed> what;
};

/// Requests return at once and are answered by a BackendEvent, in order for one lease, never from
/// within the call. Whoever drives the agent hands the events to it. Calls come from one thread.
class Backend {
 public:
  virtual ~Backend() = default;

  /// The jobs that are there. Blocks; called once, before anything else. Running and exited ones
  /// tell LogGrew and Exited from then on.
  virtual Result<std::vector<FoundJob>> recover() = 0;

  /// Fetches the working tree and makes the container, all but started. Answered by Prepared; on
  /// failure nothing is left.
  virtual void prepare(const Workload& workload) = 0;
  /// Answered by Started, and by Exited once the job is over.
  virtual void start(const LeaseId& lease) = 0;
  /// Sends a signal to those processes that handle it. With `or_kill`, kills the job at once where
  /// none does. No answer but the exit that it may bring.
  virtual void signal(const LeaseId& lease, const std::string& name, bool or_kill) = 0;
  virtual void kill(const LeaseId& lease) = 0;

  /// Bytes of the job's log from `offset`, at most `most`; empty at its present end. Quick.
  virtual Result<Bytes> read_log(const LeaseId& lease, uint64_t offset, size_t most) = 0;

  /// Packs and seals the outputs of a job that has exited. Answered by Collected.
  virtual void collect(const Workload& workload) = 0;
  /// Stores what was collected at the exchange. Answered by Uploaded.
  virtual void upload(const LeaseId& lease) = 0;
  /// Kills what still runs and removes every trace; of an unknown lease too. Answered by Removed.
  virtual void remove(const LeaseId& lease) = 0;
};

}  // namespace mizan::provider
