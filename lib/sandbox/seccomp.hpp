// The system calls that a job may make.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <boost/json/fwd.hpp>

#include <string_view>

namespace mizan::sandbox {

inline constexpr const char* kSeccompList = "/usr/share/containers/seccomp.json";

/// The OCI "linux.seccomp" object made of containers-common's list (`list`, its JSON text) as it
/// applies to a process without capabilities on this machine's architecture, and to no other (three
/// architectures cost 17 ms at each start, one 10), minus what the list leaves open: unshare,
/// setns, clone with a namespace flag, clone3 (ENOSYS, so that libc falls back to clone), ptrace,
/// the keyring, the mount calls, and sockets other than UNIX, INET, INET6 and route netlink.
Result<boost::json::object> make_seccomp(std::string_view list);

}  // namespace mizan::sandbox
