// Cgroups: where a job's processes are counted, in either version of the interface.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/sandbox.hpp"
#include "sandbox/sys.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mizan::sandbox {

/// Where the kernel shows cgroups. Version 1 (also in hybrid mode): a folder for each controller.
struct CgroupMounts {
  CgroupVersion version = CgroupVersion::v2;
  fs::path unified;                         ///< version 2's folder; empty if not mounted
  std::map<std::string, fs::path> by_name;  ///< version 1: controller, or "name=systemd"
  std::vector<std::string> controllers;     ///< that can bound a job here
  bool bounds_swap = false;
};
CgroupMounts find_cgroups();

struct CgroupEvents {
  uint64_t oom_kills = 0;
  uint64_t pids_refused = 0;
};

/// The cgroup of a job: /mizan/ID in every hierarchy.
std::string cgroup_of(const std::string& id);
/// What the kernel counted there; zeros once the group is gone.
CgroupEvents read_events(const CgroupMounts& mounts, const std::string& cgroup);
/// The processes in it, as the host numbers them.
std::vector<pid_t> processes_in(const CgroupMounts& mounts, const std::string& cgroup);
/// Kills what is in it and removes it from every hierarchy; nothing there is fine.
Result<void> remove_cgroup(const CgroupMounts& mounts, const std::string& cgroup);
/// Gives all jobs together the weight of two busy processes of the machine a CPU. Without this they
/// would weigh as much as one, however many they are. Best effort: only fairness hangs on it.
void weigh_jobs(const CgroupMounts& mounts);
/// Moves `pid` out of the agent's service into /mizan/monitors, so that stopping the service does
/// not end it. Does nothing where the agent is in no service.
Result<void> move_to_monitors(const CgroupMounts& mounts, pid_t pid);

}  // namespace mizan::sandbox
