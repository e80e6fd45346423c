// A job's outputs: read without being led astray, packed, and sealed for the buyer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "job/job.hpp"
#include "sandbox/outputs.hpp"

#include <filesystem>

namespace mizan::provider {

/// The file of the archive that says what was left out and why; only there if anything was.
inline constexpr const char* kRefusedName = "mizan-refused.txt";

/// The name in the archive of a path in the job: beneath kWorkFolder relative to it, otherwise
/// without its first slash.
std::string archive_name(const std::string& path);

/// Packs what `job.outputs` names into a tar, seals it to the job's output key, and writes it to
/// `sealed`. What is missing, a link, a device or has a name that cannot travel is left out and
/// listed in kRefusedName. Gives the SHA-256 of the sealed bytes; too_large past the limits.
Result<Hash32> seal_outputs(const sandbox::OutputTree& tree, const job::Job& job,
                            const sandbox::OutputLimits& limits,
                            const std::filesystem::path& sealed);

}  // namespace mizan::provider
