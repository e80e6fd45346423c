// conmon: creates a job's container and stays with it, whatever becomes of the agent.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/monitor.hpp"

#include "sandbox/process.hpp"

#include <boost/json.hpp>

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <vector>

namespace mizan::sandbox {

namespace json = boost::json;

namespace {

constexpr int kCreateTimeoutMs = 60'000;
constexpr size_t kMessageMax = 65536;
constexpr size_t kReasonMax = 2000;

/// One line that conmon writes once the container is created, or could not be.
Result<std::string> read_answer(int fd) {
  std::string answer;
  char buffer[4096];
  uint64_t deadline = boottime_ms() + kCreateTimeoutMs;
  while (answer.find('\n') == answer.npos && answer.size() < kMessageMax) {
    uint64_t now = boottime_ms();
    pollfd wait{fd, POLLIN, 0};
    int ready = ::poll(&wait, 1, now < deadline ? static_cast<int>(deadline - now) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return fail(ErrorCode::unavailable, "the container was not created in time");
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    answer.append(buffer, static_cast<size_t>(n));
  }
  return answer;
}

tl::unexpected<Error> refused(std::string reason) {
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  if (reason.size() > kReasonMax) reason.resize(kReasonMax);
  return fail(ErrorCode::io_error,
              "the container cannot be created: " + (reason.empty() ? "no reason given" : reason));
}

Result<ProcessId> read_process(const fs::path& file) {
  MIZAN_TRY(text, read_file(file, 100));
  auto pid = parse_number(text);
  auto process = pid ? identify(static_cast<pid_t>(*pid)) : std::nullopt;
  if (!process) return refused("its process has ended already");
  return *process;
}

std::vector<std::string> arguments(const JobFiles& files, const Tools& tools,
                                   const std::string& short_name, uint64_t log_bytes) {
  return {tools.conmon, "--api-version", "1", "--cid", files.id, "--cuuid", short_name, "--runtime",
          tools.runtime, "--runtime-arg", "--root=" + files.runtime_root.string(), "--bundle",
          files.run.string(), "--container-pidfile", (files.run / "pid").string(),
          "--conmon-pidfile", (files.run / "conmon.pid").string(), "--log-path",
          "k8s-file:" + files.log().string(), "--log-level", "error",
          // Not --log-size-max, which throws the beginning away: this keeps the first bytes, and
          // goes on reading so that the job is never blocked.
          "--log-global-size-max", std::to_string(log_bytes), "--no-sync-log", "--exit-dir",
          files.exit_folder().string(), "--exit-command", tools.copy, "--exit-command-arg",
          "/proc/uptime", "--exit-command-arg", files.ended().string(), "--socket-dir-path",
          files.sockets.string()};
}

/// The processes whose command line holds `text`, in which a NUL ends each argument.
std::vector<UniqueFd> processes_with(const std::string& text) {
  std::vector<UniqueFd> found;
  for (const auto& name : names_in("/proc")) {
    auto pid = parse_number(name);
    if (!pid || *pid <= 1) continue;
    auto line = read_file("/proc/" + name + "/cmdline", kMessageMax);
    auto process = identify(static_cast<pid_t>(*pid));
    if (!line || !process || line->find(text) == line->npos) continue;
    if (auto handle = open_process(*process)) found.push_back(std::move(handle));
  }
  return found;
}

}  // namespace

Result<Monitored> create_container(const JobFiles& files, const Tools& tools,
                                   const CgroupMounts& cgroups, const std::string& short_name,
                                   uint64_t log_bytes) {
  int answer[2], go[2];
  if (::pipe2(answer, O_CLOEXEC) != 0) return fail_errno("make a pipe", errno);
  UniqueFd answer_in(answer[0]), answer_out(answer[1]);
  if (::pipe2(go, O_CLOEXEC) != 0) return fail_errno("make a pipe", errno);
  UniqueFd go_in(go[0]), go_out(go[1]);
  fs::path complaints = files.run / "conmon.err";
  UniqueFd errors(::open(complaints.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!errors) return fail_errno("make " + complaints.string(), errno);

  Command command;
  command.argv = arguments(files, tools, short_name, log_bytes);
  command.env = {{"_OCI_SYNCPIPE", "3"}, {"_OCI_STARTPIPE", "4"}};
  command.folder = files.run.string();  // where it leaves a file `oom` when memory ran out
  command.output = errors.get();
  command.inherit = {answer_out.get(), go_in.get()};
  MIZAN_TRY(pid, spawn(command));
  answer_out.reset();
  go_in.reset();
  // It waits until it is told to go on, so that all its children are where it is moved to.
  auto moved = move_to_monitors(cgroups, pid);
  if (!moved) {
    ::kill(pid, SIGKILL);
    (void)wait_for(pid, 5000);
    return fail(moved.error());
  }
  bool told = ::write(go_out.get(), "g", 1) == 1;
  auto line = told ? read_answer(answer_in.get()) : refused("conmon did not wait");
  auto status = wait_for(pid, 5000);  // what was started has handed over to a child of its own
  if (!line) {
    kill_by_bundle(files.run);
    return fail(line.error());
  }
  boost::system::error_code error;
  auto value = json::parse(*line, error);
  if (error || !value.is_object() || !status || *status != 0)
    return refused(read_file(complaints, kMessageMax).value_or(""));
  const auto& object = value.get_object();
  const auto* data = object.if_contains("data");
  if (data == nullptr || !data->is_int64() || data->get_int64() <= 0) {
    const auto* message = object.if_contains("message");
    return refused(message != nullptr && message->is_string() ? std::string(message->get_string())
                                                              : std::string());
  }
  MIZAN_TRY(monitor, read_process(files.run / "conmon.pid"));
  auto init = identify(static_cast<pid_t>(data->get_int64()));
  if (!init) return refused("its process has ended already");
  return Monitored{monitor, *init};
}

void kill_by_bundle(const fs::path& run) {
  std::string argument = '\0' + run.string() + '\0';
  for (int times = 0; times < 100; ++times) {
    auto found = processes_with(argument);
    if (found.empty()) return;
    for (const auto& process : found) (void)send_signal(process, SIGKILL);
    for (const auto& process : found) (void)wait_gone(process, 1000);
  }
}

void wait_for_starts(const std::string& id, int timeout_ms) {
  std::string arguments = std::string("\0start\0", 7) + id + '\0';
  for (const auto& process : processes_with(arguments)) (void)wait_gone(process, timeout_ms);
}

}  // namespace mizan::sandbox
