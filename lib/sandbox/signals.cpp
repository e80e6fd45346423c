// Signals to a job: to the processes that asked for them.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/signals.hpp"

#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <sys/syscall.h>

namespace mizan::sandbox {

namespace {

struct Process {
  UniqueFd handle;
  pid_t parent = 0;
  bool handles = false;
};

/// The text after "Key:\t" in /proc/PID/status.
std::string_view field(std::string_view text, std::string_view key) {
  size_t at = text.find("\n" + std::string(key) + ":\t");
  if (at == text.npos) return {};
  at += key.size() + 3;
  return text.substr(at, text.find('\n', at) - at);
}

bool holds_signal(std::string_view mask, int signal) {
  uint64_t bits = 0;
  auto [end, error] = std::from_chars(mask.data(), mask.data() + mask.size(), bits, 16);
  return error == std::errc{} && (bits >> (signal - 1) & 1) != 0;
}

std::optional<Process> look_at(pid_t pid, const std::string& cgroup, int signal) {
  Process process;
  process.handle.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.handle) return std::nullopt;
  // Opened first: what is read now is of the process that the descriptor names, or of a later one
  // with its number, which the cgroup then tells apart.
  std::string proc = "/proc/" + std::to_string(pid);
  auto groups = read_file(proc + "/cgroup", 65536);
  auto status = read_file(proc + "/status", 65536);
  if (!groups || !status || groups->find(":" + cgroup + "\n") == groups->npos) return std::nullopt;
  process.parent = static_cast<pid_t>(parse_number(field(*status, "PPid")).value_or(0));
  process.handles = holds_signal(field(*status, "SigCgt"), signal) ||
                    holds_signal(field(*status, "SigBlk"), signal);  // it waits for it by sigwait
  return process;
}

}  // namespace

Result<size_t> signal_handlers(const CgroupMounts& mounts, const std::string& cgroup, pid_t init,
                               int signal) {
  if (signal < 1 || signal > 64)
    return fail(ErrorCode::invalid_argument, "signal: a number from 1 to 64");
  std::map<pid_t, Process> processes;
  for (pid_t pid : processes_in(mounts, cgroup))
    if (pid != init)
      if (auto process = look_at(pid, cgroup, signal)) processes.emplace(pid, std::move(*process));
  size_t sent = 0;
  for (const auto& [pid, process] : processes) {
    if (!process.handles) continue;
    bool nearest = true;
    std::set<pid_t> seen{pid};  // numbers may be used again while we look: no endless walk
    for (auto up = processes.find(process.parent); up != processes.end() && nearest;
         up = processes.find(up->second.parent)) {
      if (!seen.insert(up->first).second) break;
      nearest = !up->second.handles;
    }
    if (nearest && send_signal(process.handle, signal) == 0) ++sent;
  }
  return sent;
}

}  // namespace mizan::sandbox
