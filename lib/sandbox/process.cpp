// Starting the few programs that the room needs: runtime, conmon, mkfs.ext4.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/process.hpp"

#include "sandbox/sys.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

namespace mizan::sandbox {

namespace {

constexpr size_t kOutputMax = 16384;
constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// posix_spawn's two argument objects, freed whatever happens.
struct SpawnArguments {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnArguments() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnArguments() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnArguments(const SpawnArguments&) = delete;
  SpawnArguments& operator=(const SpawnArguments&) = delete;
};

}  // namespace

Result<pid_t> spawn(const Command& command) {
  std::vector<std::string> env_text = {kPath, "LANG=C.UTF-8"};
  for (const auto& [name, value] : command.env) env_text.push_back(name + "=" + value);
  std::vector<char*> argv, env;
  for (const auto& arg : command.argv) argv.push_back(const_cast<char*>(arg.c_str()));
  for (const auto& entry : env_text) env.push_back(const_cast<char*>(entry.c_str()));
  argv.push_back(nullptr);
  env.push_back(nullptr);

  // The inherited descriptors are first copied above every target, so that putting one in its place
  // never overwrites another that is still to be moved.
  int above = 3 + static_cast<int>(command.inherit.size());
  std::vector<UniqueFd> held;
  std::vector<int> sources = command.inherit;
  sources.push_back(command.output);
  for (int source : sources) {
    held.emplace_back(source < 0 ? -1 : ::fcntl(source, F_DUPFD_CLOEXEC, above));
    if (source >= 0 && !held.back()) return fail_errno("start " + command.argv[0], errno);
  }

  SpawnArguments spawn_arguments;
  auto* actions = &spawn_arguments.actions;
  ::posix_spawn_file_actions_addchdir_np(actions, command.folder.c_str());
  ::posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
  if (int output = held.back().get(); output >= 0) {
    ::posix_spawn_file_actions_adddup2(actions, output, 1);
    ::posix_spawn_file_actions_adddup2(actions, output, 2);
  } else {
    ::posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(actions, 2, "/dev/null", O_WRONLY, 0);
  }
  for (size_t i = 0; i < command.inherit.size(); ++i)
    ::posix_spawn_file_actions_adddup2(actions, held[i].get(), 3 + static_cast<int>(i));
  ::posix_spawn_file_actions_addclosefrom_np(actions, above);

  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  auto* attributes = &spawn_arguments.attributes;
  ::posix_spawnattr_setsigmask(attributes, &none);
  ::posix_spawnattr_setsigdefault(attributes, &all);
  ::posix_spawnattr_setflags(
      attributes,
      static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID));
  pid_t pid = 0;
  int number = ::posix_spawn(&pid, argv[0], actions, attributes, argv.data(), env.data());
  if (number != 0) return fail_errno("start " + command.argv[0], number);
  return pid;
}

Result<int> wait_for(pid_t pid, int timeout_ms) {
  bool late = false;
  if (auto id = identify(pid)) {
    auto process = open_process(*id);
    if (process && !wait_gone(process, timeout_ms)) {
      late = true;
      ::kill(pid, SIGKILL);
    }
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno("wait for a program", errno);
  }
  if (late)
    return fail(ErrorCode::unavailable, "a program did not end within " +
                                            std::to_string(timeout_ms) + " ms; it was killed");
  return status;
}

Result<std::string> run_tool(std::vector<std::string> argv, int timeout_ms) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe", errno);
  UniqueFd reader(ends[0]), writer(ends[1]);
  std::string name = fs::path(argv[0]).filename();
  Command command;
  command.argv = std::move(argv);
  command.output = writer.get();
  MIZAN_TRY(pid, spawn(command));
  writer.reset();

  std::string output;
  uint64_t deadline = boottime_ms() + static_cast<uint64_t>(timeout_ms);
  char buffer[4096];
  while (true) {
    uint64_t now = boottime_ms();
    pollfd wait{reader.get(), POLLIN, 0};
    int ready = ::poll(&wait, 1, now < deadline ? static_cast<int>(deadline - now) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) break;
    ssize_t n = ::read(reader.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    output.append(buffer, std::min(static_cast<size_t>(n), kOutputMax - output.size()));
  }
  uint64_t now = boottime_ms();
  auto status = wait_for(pid, now < deadline ? static_cast<int>(deadline - now) : 0);
  if (!status) return fail(status.error().code, name + ": " + status.error().message);
  while (!output.empty() && output.back() == '\n') output.pop_back();
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0)
    return fail(ErrorCode::io_error,
                name + " failed: " + (output.empty() ? "no reason given" : output));
  return output;
}

std::string find_program(const std::string& name) {
  for (const char* folder :
       {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}) {
    std::string path = std::string(folder) + "/" + name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

}  // namespace mizan::sandbox
