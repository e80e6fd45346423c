// Inventory: what this machine has, measured; and what an agent offers of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/fields.hpp"
#include "provider/config.hpp"

#include <vector>

namespace mizan::provider {

inline constexpr uint64_t kGigabyte = 1ULL << 30;

/// Figures of the machine, already cut to what this process may use.
struct Inventory {
  uint32_t cores = 0;         ///< of the affinity mask and the cgroup's quota, the smaller
  uint64_t memory_bytes = 0;  ///< MemTotal or the cgroup's limit, the smaller
  uint64_t disk_bytes = 0;    ///< free under the state folder
};

/// Reads /proc and /sys; `root` is "/" but in tests.
Result<Inventory> measure(const std::filesystem::path& state_dir,
                          const std::filesystem::path& root = "/");

/// A node as it is listed: one vCPU is one unit.
struct Capacity {
  uint32_t units = 1;
  uint64_t memory_gb = 1;
  uint64_t disk_gb = 1;
  MIZAN_FIELDS(units, memory_gb, disk_gb)

  /// The part of the node that goes with `part` of its units, in whole gigabytes, as queries are
  /// evaluated over it.
  uint64_t memory_gb_of(uint32_t part) const { return memory_gb * part / units; }
  uint64_t disk_gb_of(uint32_t part) const { return disk_gb * part / units; }
};

/// What the configuration offers of the machine: all of it, less a core's worth of nothing but less
/// 5 % of memory and 10 % of disk for the system, unless it names figures; more than the machine
/// has is an error that names the key.
Result<Capacity> offered(const ProviderConfig& config, const Inventory& inventory);

/// The canonical JSON of the ask's attributes.
std::string attributes_json(const ProviderConfig& config, const Capacity& capacity);

}  // namespace mizan::provider
