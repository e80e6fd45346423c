// probe(): what the machine offers, and what is missing before it can run a job.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cgroups.hpp"
#include "sandbox/process.hpp"
#include "sandbox/sandbox.hpp"
#include "sandbox/seccomp.hpp"
#include "sandbox/sys.hpp"

#include <algorithm>
#include <charconv>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

namespace mizan::sandbox {

namespace {

bool has_capability(unsigned number) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  return (data[number / 32].effective >> (number % 32) & 1) != 0;
}

void check_programs(const Options& options, Capabilities& found) {
  struct Need {
    const char* program;
    const char* package;
  };
  for (auto [program, package] : {Need{"conmon", "conmon"}, Need{"mkfs.ext4", "e2fsprogs"},
                                  Need{"catatonit", "catatonit"}, Need{"cp", "coreutils"}})
    if (find_program(program).empty())
      found.missing.push_back(std::string(program) + " is missing; install the package " + package);
  if (::access(kSeccompList, R_OK) != 0)
    found.missing.push_back(std::string(kSeccompList) +
                            " is missing; install the package golang-github-containers-common");
  // crun refuses cgroups of version 1 and the hybrid of both.
  if (!options.runtime.empty()) {
    found.runtime = options.runtime;
  } else if (found.cgroups == CgroupVersion::v1) {
    found.runtime = find_program("runc");
  } else {
    found.runtime = find_program("crun");
    if (found.runtime.empty()) found.runtime = find_program("runc");
  }
  if (found.runtime.empty()) {
    found.missing.push_back(
        found.cgroups == CgroupVersion::v1
            ? "runc is missing (crun cannot use cgroups of version 1); install the package runc"
            : "neither crun nor runc is there; install the package runc or crun");
    return;
  }
  auto version = run_tool({found.runtime, "--version"});
  if (!version)
    found.missing.push_back(found.runtime + " does not run: " + version.error().message);
  else
    found.runtime_version = version->substr(0, version->find('\n'));
}

/// Whether a kernel's release, like "6.1.0-18-amd64", is known to be below 5.12.
bool is_too_old(std::string_view release) {
  const char* const end = release.data() + release.size();
  unsigned major = 0, minor = 0;
  const auto first = std::from_chars(release.data(), end, major);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return false;
  if (std::from_chars(first.ptr + 1, end, minor).ec != std::errc{}) return false;
  return major < 5 || (major == 5 && minor < 12);
}

void check_kernel(Capabilities& found) {
  utsname name{};
  if (::uname(&name) == 0 && is_too_old(name.release))
    found.missing.push_back("Linux " + std::string(name.release) +
                            " is too old; 5.12 or later is needed");
  auto spaces = read_file("/proc/sys/user/max_user_namespaces");
  if (!spaces || parse_number(*spaces).value_or(0) == 0)
    found.missing.push_back(
        "user namespaces are off; set the sysctl user.max_user_namespaces to 10000");
  if (::access("/dev/loop-control", F_OK) != 0)  // whether it may be opened is a matter of root
    found.missing.push_back("/dev/loop-control is not there; load the kernel module loop");
  std::error_code error;
  if (!fs::is_symlink("/bin", error) || !fs::is_symlink("/lib", error))
    found.missing.push_back(
        "/bin and /lib are not links into /usr, so image: host would lack them; install usrmerge");
}

void check_cgroups(const CgroupMounts& mounts, Capabilities& found) {
  for (const char* controller : {"memory", "cpu", "cpuset", "pids", "devices"})
    if (std::find(mounts.controllers.begin(), mounts.controllers.end(), controller) ==
        mounts.controllers.end())
      found.missing.push_back("the cgroup controller " + std::string(controller) +
                              " is off; turn it on in the kernel's command line");
  if (!mounts.bounds_swap)
    found.warnings.push_back(
        "swap is not counted; boot with swapaccount=1 or turn swap off, or a job may swap beyond "
        "its memory");
}

}  // namespace

Capabilities probe(const Options& options) {
  Capabilities found;
  auto mounts = find_cgroups();
  found.cgroups = mounts.version;
  if (::geteuid() != 0)
    found.missing.push_back("the provider must run as root (mounts, loop devices, user id ranges)");
  else if (!has_capability(CAP_SYS_ADMIN))
    found.missing.push_back(
        "root lacks CAP_SYS_ADMIN here; run the provider outside of a container, or in a "
        "privileged one");
  check_programs(options, found);
  check_kernel(found);
  check_cgroups(mounts, found);
  return found;
}

}  // namespace mizan::sandbox
