// The job's root folder: what lies under it and what is written over it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/bundle.hpp"
#include "sandbox/spec.hpp"
#include "sandbox/sys.hpp"

#include <cstdint>

namespace mizan::sandbox {

/// The read-only layer of `image: host`: empty places for what is bound there, and the links of the
/// machine's own root that lead into /usr.
Result<void> make_host_root(const fs::path& folder);

/// Fills the writable layer: the names that a C library looks up (hosts, and for `image: host`
/// users, groups, time zone), /tmp, the home, and what the spec asks for. `lower` is the read-only
/// layer.
Result<void> fill_upper(const Spec& spec, const JobUser& user, uint32_t id_base, bool host_image,
                        const fs::path& lower, const fs::path& upper);

}  // namespace mizan::sandbox
