// What a job finds in its environment.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "job/job.hpp"

#include <utility>

namespace mizan::job {

/// Of the lease under which a job runs.
struct Place {
  LeaseId lease;
  uint32_t cores = 1;
  uint64_t memory_bytes = 0;
  uint64_t seconds = 0;
};

/// torchrun's variables for one node, SkyPilot's, MIZAN_*, and a plain shell's; the job's own stand
/// above all but MIZAN_*. In the order of the names.
std::vector<std::pair<std::string, std::string>> environment(const Job& job, const Place& place);

}  // namespace mizan::job
