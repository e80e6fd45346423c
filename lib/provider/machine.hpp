// Machine: the backend of one machine, over lib/sandbox.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/client.hpp"
#include "provider/backend.hpp"
#include "provider/job_watch.hpp"
#include "provider/keyed_workers.hpp"
#include "sandbox/sandbox.hpp"

#include <map>

namespace mizan::provider {

struct MachineOptions {
  sandbox::Options sandbox;
  std::map<std::string, std::filesystem::path> images;  ///< by the name after "oci:"
  std::filesystem::path work_folder;                    ///< archives on their way in and out
  net::Url exchange;
  std::shared_ptr<const net::Signer> signer;
  uint64_t workdir_bytes_max = 10ULL << 30;
  uint64_t outputs_bytes_max = 10ULL << 30;
};

/// Jobs in sandboxes, one worker's turn after the other for each. `tell` is called on threads of
/// its own and must not wait. Its end leaves the jobs running.
class Machine final : public Backend {
 public:
  static Result<std::unique_ptr<Machine>> open(MachineOptions options,
                                               std::function<void(BackendEvent)> tell);
  ~Machine() override;

  Result<std::vector<FoundJob>> recover() override;
  void prepare(const Workload& workload) override;
  void start(const LeaseId& lease) override;
  void signal(const LeaseId& lease, const std::string& name, bool or_kill) override;
  void kill(const LeaseId& lease) override;
  Result<Bytes> read_log(const LeaseId& lease, uint64_t offset, size_t most) override;
  void collect(const Workload& workload) override;
  void upload(const LeaseId& lease) override;
  void remove(const LeaseId& lease) override;

 private:
  explicit Machine(MachineOptions options, std::function<void(BackendEvent)> tell,
                   sandbox::Sandbox sandbox);
  Result<void> do_prepare(const Workload& workload);
  Result<void> fetch_workdir(const LeaseId& lease, const Hash32& sha256);
  Result<Hash32> do_collect(const Workload& workload);
  Result<void> do_upload(const LeaseId& lease);
  void watch(const LeaseId& lease);
  void tell_exit(const LeaseId& lease);
  std::filesystem::path work_path(const LeaseId& lease, const std::string& name = "") const;
  Result<net::Client> client() const;

  MachineOptions options_;
  std::function<void(BackendEvent)> tell_;
  sandbox::Sandbox sandbox_;
  std::unique_ptr<JobWatch> watch_;
  std::unique_ptr<KeyedWorkers> workers_;  ///< last: its threads use all of the above
};

/// What the sandbox says of an exit, in the protocol's words.
ExitStatus exit_status(const sandbox::State& state);

}  // namespace mizan::provider
