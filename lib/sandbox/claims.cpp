// Claims: user id ranges and CPUs, each held by one job of the machine at a time.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/claims.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace mizan::sandbox {

Result<UniqueFd> Claims::lock() const {
  MIZAN_CHECK(make_folder(folder_, 0700));
  fs::path path = folder_ / "lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file || ::flock(file.get(), LOCK_EX) != 0) return fail_errno("lock " + path.string(), errno);
  return file;
}

bool Claims::take(const std::string& name, const fs::path& owner) const {
  fs::path path = folder_ / name;
  if (::symlink(owner.c_str(), path.c_str()) == 0) return true;
  struct stat st {};
  if (errno != EEXIST || ::stat(path.c_str(), &st) == 0 || errno != ENOENT) return false;
  return ::unlink(path.c_str()) == 0 && ::symlink(owner.c_str(), path.c_str()) == 0;
}

Result<uint32_t> Claims::claim_ids(const fs::path& owner) {
  MIZAN_TRY(held, lock());
  for (uint32_t number = 0; number < kIdRanges; ++number)
    if (take("ids-" + std::to_string(number), owner)) return number;
  return fail(ErrorCode::limit_exceeded, "all ranges of user ids are taken: too many jobs at once");
}

Result<std::vector<uint32_t>> Claims::claim_cpus(const fs::path& owner, uint32_t count) {
  MIZAN_TRY(held, lock());
  cpu_set_t mine;
  CPU_ZERO(&mine);
  if (::sched_getaffinity(0, sizeof mine, &mine) != 0) return fail_errno("list the CPUs", errno);
  std::vector<uint32_t> taken;
  for (uint32_t cpu = 0; cpu < CPU_SETSIZE && taken.size() < count; ++cpu)
    if (CPU_ISSET(cpu, &mine) && take("cpu-" + std::to_string(cpu), owner)) taken.push_back(cpu);
  if (taken.size() == count) return taken;
  for (uint32_t cpu : taken) ::unlink((folder_ / ("cpu-" + std::to_string(cpu))).c_str());
  return std::vector<uint32_t>{};
}

Result<void> Claims::release(const fs::path& owner) {
  MIZAN_TRY(held, lock());
  for (const auto& name : names_in(folder_)) {
    std::error_code error;
    auto target = fs::read_symlink(folder_ / name, error);
    if (!error && target == owner) ::unlink((folder_ / name).c_str());
  }
  return {};
}

}  // namespace mizan::sandbox
