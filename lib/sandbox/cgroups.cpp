// Cgroups: where a job's processes are counted, in either version of the interface.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cgroups.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sstream>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace mizan::sandbox {

namespace {

const std::string kParent = "/mizan";

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

/// The hierarchies, each once.
std::vector<fs::path> hierarchies(const CgroupMounts& mounts) {
  std::vector<fs::path> found;
  if (!mounts.unified.empty()) found.push_back(mounts.unified);
  for (const auto& [name, path] : mounts.by_name)
    if (std::find(found.begin(), found.end(), path) == found.end()) found.push_back(path);
  return found;
}

fs::path folder_of(const CgroupMounts& mounts, const std::string& controller,
                   const std::string& cgroup) {
  auto found = mounts.by_name.find(controller);
  const fs::path& root = found == mounts.by_name.end() ? mounts.unified : found->second;
  return root.string() + cgroup;
}

/// The number after `key` in a file of "key number" lines.
uint64_t count_in(const fs::path& file, std::string_view key) {
  auto text = read_file(file, 65536);
  if (!text) return 0;
  for (const auto& line : split(*text, '\n'))
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ')
      return parse_number(std::string_view(line).substr(key.size() + 1)).value_or(0);
  return 0;
}

std::vector<pid_t> read_pids(const fs::path& folder) {
  std::vector<pid_t> pids;
  if (auto text = read_file(folder / "cgroup.procs", 16 << 20))
    for (const auto& line : split(*text, '\n'))
      if (auto pid = parse_number(line); pid && *pid > 0) pids.push_back(static_cast<pid_t>(*pid));
  return pids;
}

}  // namespace

CgroupMounts find_cgroups() {
  CgroupMounts mounts;
  struct statfs root {};
  bool whole = ::statfs("/sys/fs/cgroup", &root) == 0 && root.f_type == CGROUP2_SUPER_MAGIC;
  if (whole) {
    mounts.version = CgroupVersion::v2;
    mounts.unified = "/sys/fs/cgroup";
    if (auto text = read_file("/sys/fs/cgroup/cgroup.controllers"))
      for (auto& name : split(*text, ' ')) {
        while (name.ends_with('\n')) name.pop_back();
        mounts.controllers.push_back(name);
      }
    mounts.controllers.push_back("devices");  // version 2 filters devices with eBPF
    mounts.bounds_swap = true;
    return mounts;
  }
  mounts.version = CgroupVersion::v1;
  auto text = read_file("/proc/self/mounts", 64 << 20);
  if (!text) return mounts;
  for (const auto& line : split(*text, '\n')) {
    auto fields = split(line, ' ');
    if (fields.size() < 4 || !fields[1].starts_with("/sys/fs/cgroup")) continue;
    if (fields[2] == "cgroup2") mounts.unified = fields[1];
    if (fields[2] != "cgroup") continue;
    for (const auto& option : split(fields[3], ','))
      if (option.starts_with("name=") || fs::exists("/sys/fs/cgroup/" + option))
        mounts.by_name[option] = fields[1];
  }
  for (const auto& [name, path] : mounts.by_name)
    if (!name.starts_with("name=")) mounts.controllers.push_back(name);
  if (auto memory = mounts.by_name.find("memory"); memory != mounts.by_name.end())
    mounts.bounds_swap = fs::exists(memory->second / "memory.memsw.limit_in_bytes");
  return mounts;
}

std::string cgroup_of(const std::string& id) {
  return kParent + "/" + id;
}

CgroupEvents read_events(const CgroupMounts& mounts, const std::string& cgroup) {
  bool v2 = mounts.version == CgroupVersion::v2;
  fs::path memory = folder_of(mounts, "memory", cgroup);
  fs::path pids = folder_of(mounts, "pids", cgroup);
  return {count_in(memory / (v2 ? "memory.events" : "memory.oom_control"), "oom_kill"),
          count_in(pids / "pids.events", "max")};
}

std::vector<pid_t> processes_in(const CgroupMounts& mounts, const std::string& cgroup) {
  return read_pids(folder_of(mounts, "pids", cgroup));
}

Result<void> remove_cgroup(const CgroupMounts& mounts, const std::string& cgroup) {
  uint64_t deadline = boottime_ms() + 5000;
  for (const auto& root : hierarchies(mounts)) {
    fs::path folder = root.string() + cgroup;
    while (::rmdir(folder.c_str()) != 0 && errno != ENOENT) {
      if (errno != EBUSY || boottime_ms() > deadline)
        return fail_errno("remove the cgroup " + folder.string(), errno);
      for (pid_t pid : read_pids(folder)) ::kill(pid, SIGKILL);
      timespec moment{0, 1'000'000};
      ::nanosleep(&moment, nullptr);
    }
  }
  return {};
}

void weigh_jobs(const CgroupMounts& mounts) {
  bool v2 = mounts.version == CgroupVersion::v2;
  fs::path file = folder_of(mounts, "cpu", kParent) / (v2 ? "cpu.weight" : "cpu.shares");
  long weight = 2 * ::sysconf(_SC_NPROCESSORS_ONLN) * (v2 ? 100 : 1024);
  std::string text = std::to_string(std::min(weight, v2 ? 10'000L : 262'144L));
  UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd) (void)!::write(fd.get(), text.data(), text.size());
}

Result<void> move_to_monitors(const CgroupMounts& mounts, pid_t pid) {
  MIZAN_TRY(text, read_file("/proc/self/cgroup", 65536));
  for (const auto& line : split(text, '\n')) {  // "0::/path" or "9:name=systemd:/path"
    size_t first = line.find(':');
    size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos || line.substr(second + 1) == "/") continue;
    std::string name = line.substr(first + 1, second - first - 1);
    fs::path root;
    if (name.empty()) root = mounts.unified;
    if (name == "name=systemd" && mounts.by_name.contains(name)) root = mounts.by_name.at(name);
    if (root.empty()) continue;
    fs::path folder = root.string() + kParent + "/monitors";
    MIZAN_CHECK(make_folder(folder, 0755));
    UniqueFd file(::open((folder / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    std::string number = std::to_string(pid);
    if (!file || ::write(file.get(), number.data(), number.size()) < 0)
      return fail_errno("move the job's monitor to " + folder.string(), errno);
  }
  return {};
}

}  // namespace mizan::sandbox
