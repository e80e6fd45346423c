// Signals to a job: to the processes that asked for them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/cgroups.hpp"

#include <string>

namespace mizan::sandbox {

/// Sends `signal` to the processes of `cgroup` that handle it, on each branch of the tree to the
/// one nearest to the root only; never to `init`, which is catatonit. Says to how many.
Result<size_t> signal_handlers(const CgroupMounts& mounts, const std::string& cgroup, pid_t init,
                               int signal);

}  // namespace mizan::sandbox
