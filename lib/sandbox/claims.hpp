// Claims: user id ranges and CPUs, each held by one job of the machine at a time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/sys.hpp"

#include <cstdint>
#include <vector>

namespace mizan::sandbox {

/// Ids of job number n are kIdBase + n * kIdCount onwards: above what login, subuid files and
/// systemd hand out, below 2^31, at which some programs stop.
inline constexpr uint32_t kIdBase = 0x7000'0000;
inline constexpr uint32_t kIdCount = 65536;
inline constexpr uint32_t kIdRanges = 4096;

/// A claim is a symbolic link named by what is claimed, pointing at the owner's folder; it is stale
/// once that folder is gone. So a crash loses nothing, and several agents share one machine.
class Claims {
 public:
  explicit Claims(fs::path folder) : folder_(std::move(folder)) {}

  /// The lowest free range of ids: its number.
  Result<uint32_t> claim_ids(const fs::path& owner);
  /// `count` of the CPUs that this process may use, none of them another job's; empty when not that
  /// many are free.
  Result<std::vector<uint32_t>> claim_cpus(const fs::path& owner, uint32_t count);
  /// Gives back everything `owner` holds.
  Result<void> release(const fs::path& owner);

 private:
  Result<UniqueFd> lock() const;
  bool take(const std::string& name, const fs::path& owner) const;

  fs::path folder_;
};

}  // namespace mizan::sandbox
