// Bundle: the OCI runtime configuration of one job.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/bundle.hpp"

#include "sandbox/claims.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <map>

namespace mizan::sandbox {

namespace json = boost::json;

namespace {

constexpr uint64_t kShmMax = 16ULL << 30;
constexpr int kOomScore =
    500;  // the kernel's own choice, too, should fall on a job, not on the agent
constexpr const char* kInit = "/dev/init";
constexpr uint64_t kCpuPeriodUs = 100'000;

json::object mount(std::string_view to, std::string_view type, std::string_view source,
                   std::initializer_list<std::string_view> options) {
  json::array list;
  for (auto option : options) list.emplace_back(option);
  return {{"destination", to}, {"type", type}, {"source", source}, {"options", std::move(list)}};
}

/// A file of the host, or a folder with everything mounted beneath it, all of it read-only. (crun
/// 1.8.1 fails at the recursive options on a file.)
json::object show(std::string_view from, std::string_view to) {
  std::error_code error;
  if (!fs::is_directory(from, error))
    return mount(to, "bind", from, {"bind", "ro", "nosuid", "nodev"});
  return mount(to, "bind", from,
               {"rbind", "ro", "nosuid", "nodev", "rro", "rnosuid", "rnodev", "rprivate"});
}

json::array mounts(const BundleInput& input) {
  uint64_t shm = std::min(input.spec->limits.memory_bytes / 2, kShmMax);
  json::array list{
      mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
      mount("/dev", "tmpfs", "tmpfs",
            {"nosuid", "noexec", "strictatime", "mode=755", "size=64k", "nr_inodes=1k"}),
      mount("/dev/pts", "devpts", "devpts",
            {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}),
      mount("/dev/shm", "tmpfs", "shm",
            {"nosuid", "nodev", "mode=1777", "size=" + std::to_string(shm), "nr_inodes=64k"}),
      mount(kInit, "bind", input.init, {"bind", "ro", "nosuid", "nodev"})};
  if (input.host_image) {
    list.push_back(show("/usr", "/usr"));
    std::error_code error;
    for (const auto& path : host_files())
      if (fs::exists(path, error)) list.push_back(show(path, path));
  }
  // A user namespace cannot make device nodes; the machine's own are bound into its place.
  for (const auto& node : input.devices.nodes)
    list.push_back(mount(node.path, "bind", node.host_path, {"bind", "rw", "nosuid", "noexec"}));
  for (const auto& device : input.devices.mounts) {
    auto bind = show(device.host_path, device.path);
    if (!device.read_only)
      bind = mount(device.path, "bind", device.host_path,
                   {"rbind", "rw", "nosuid", "nodev", "rprivate"});
    list.push_back(std::move(bind));
  }
  return list;
}

json::array environment(const BundleInput& input) {
  std::map<std::string, std::string> merged{
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"HOME", input.user.home},
      {"LANG", "C.UTF-8"}};
  if (input.host_image) merged.insert({{"USER", "job"}, {"LOGNAME", "job"}});
  for (const auto& [name, value] : input.user.env) merged[name] = value;
  for (const auto& [name, value] : input.devices.env) merged[name] = value;
  for (const auto& [name, value] : input.spec->env) merged[name] = value;
  json::array list;
  for (const auto& [name, value] : merged) list.emplace_back(name + "=" + value);
  return list;
}

json::object process(const BundleInput& input) {
  json::array argv{kInit, "--"};
  for (const auto& arg : input.spec->argv) argv.emplace_back(arg);
  json::object no_capabilities;
  for (auto set : {"bounding", "effective", "inheritable", "permitted", "ambient"})
    no_capabilities[set] = json::array{};
  uint64_t files = std::min(input.spec->limits.open_files, input.open_files_max);
  auto limit = [](std::string_view type, uint64_t value) {
    return json::object{{"type", type}, {"hard", value}, {"soft", value}};
  };
  return {{"terminal", false},
          {"user", json::object{{"uid", input.user.uid}, {"gid", input.user.gid}}},
          {"args", std::move(argv)},
          {"env", environment(input)},
          {"cwd", input.spec->cwd},
          {"noNewPrivileges", true},
          {"capabilities", std::move(no_capabilities)},
          {"rlimits", json::array{limit("RLIMIT_NOFILE", files), limit("RLIMIT_CORE", 0)}},
          {"oomScoreAdj", kOomScore}};
}

json::object resources(const BundleInput& input) {
  const Limits& limits = input.spec->limits;
  json::object memory{{"limit", limits.memory_bytes}};
  if (input.bounds_swap) memory["swap"] = limits.memory_bytes;  // memory and swap together
  json::object cpu{{"shares", std::min<uint64_t>(1024ULL * limits.cores, 262'144)}};
  if (input.cpus.empty()) {
    cpu["period"] = kCpuPeriodUs;
    cpu["quota"] = kCpuPeriodUs * limits.cores;
  } else {
    std::string list;
    for (uint32_t number : input.cpus) list += (list.empty() ? "" : ",") + std::to_string(number);
    cpu["cpus"] = list;
  }
  json::array devices{json::object{{"allow", false}, {"access", "rwm"}}};
  for (const auto& node : input.devices.nodes)
    devices.push_back(json::object{{"allow", true},
                                   {"type", std::string(1, node.type)},
                                   {"major", node.major},
                                   {"minor", node.minor},
                                   {"access", node.access}});
  return {{"memory", std::move(memory)},
          {"cpu", std::move(cpu)},
          {"pids", json::object{{"limit", limits.pids}}},
          {"devices", std::move(devices)}};
}

json::object isolation(const BundleInput& input, const json::object& seccomp) {
  json::array ids{json::object{{"containerID", 0}, {"hostID", input.id_base}, {"size", kIdCount}}};
  json::array namespaces;
  for (auto type : {"user", "mount", "pid", "ipc", "uts", "network", "cgroup"})
    namespaces.push_back(json::object{{"type", type}});
  return {{"uidMappings", ids},
          {"gidMappings", ids},
          {"namespaces", std::move(namespaces)},
          {"cgroupsPath", input.cgroup},
          {"resources", resources(input)},
          {"maskedPaths",
           json::array{"/proc/acpi", "/proc/asound", "/proc/cmdline", "/proc/kcore", "/proc/keys",
                       "/proc/kallsyms", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
                       "/proc/timer_list", "/proc/timer_stats", "/proc/config.gz", "/proc/modules",
                       "/proc/interrupts", "/proc/diskstats", "/proc/partitions", "/proc/swaps",
                       "/proc/slabinfo", "/proc/vmallocinfo"}},
          {"readonlyPaths", json::array{"/proc/bus", "/proc/driver", "/proc/fs", "/proc/irq",
                                        "/proc/sys", "/proc/sysrq-trigger"}},
          {"seccomp", seccomp}};
}

}  // namespace

const std::vector<std::string>& host_files() {
  static const std::vector<std::string> files = {"/etc/alternatives", "/etc/ssl/certs",
                                                 "/etc/ld.so.cache", "/etc/nsswitch.conf"};
  return files;
}

std::string make_config(const BundleInput& input, const json::object& seccomp) {
  json::object config{{"ociVersion", "1.0.2"},
                      {"process", process(input)},
                      {"root", json::object{{"path", input.root.string()}, {"readonly", false}}},
                      {"hostname", input.spec->hostname},
                      {"mounts", mounts(input)},
                      {"linux", isolation(input, seccomp)}};
  return json::serialize(config);
}

}  // namespace mizan::sandbox
