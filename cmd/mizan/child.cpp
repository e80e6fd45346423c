#include "mizan/child.hpp"

#include "mizan/files.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace mizan::cli {
namespace {

constexpr int kEndPatienceMs = 10'000;

// After the fork: nothing here may allocate or take a lock but exec's own.
[[noreturn]] void become(char* const* argv, char* const* envp, int output, int error,
                         const char* folder, bool own_group, int parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  if (own_group) ::setpgid(0, 0);
  const bool ready = ::dup2(output, STDOUT_FILENO) >= 0 &&
                     (error < 0 || ::dup2(error, STDERR_FILENO) >= 0) &&
                     (folder == nullptr || ::chdir(folder) == 0);
  std::signal(SIGPIPE, SIG_DFL);
  if (ready) ::execvpe(argv[0], argv, envp);
  ::_exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  list.reserve(words.size() + 1);
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace

Result<Child> Child::start(const std::vector<std::string>& command, const Options& options) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail(ErrorCode::io_error,
                fmt::format("no pipe: {}", std::generic_category().message(errno)));
  int error = -1;
  if (!options.error_file.empty())
    error = ::open(options.error_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  std::vector<std::string> words = command, environment = options.environment;
  for (char** name = environ; *name != nullptr; ++name) environment.emplace_back(*name);
  const auto argv = pointers(words);
  const auto envp = pointers(environment);
  const std::string folder = options.folder.string();
  const int parent = ::getpid();
  const int pid = ::fork();
  if (pid == 0)
    become(argv.data(), envp.data(), ends[1], error, folder.empty() ? nullptr : folder.c_str(),
           options.own_group, parent);
  const int code = errno;
  ::close(ends[1]);
  if (error >= 0) ::close(error);
  if (pid < 0) {
    ::close(ends[0]);
    return fail(ErrorCode::io_error, fmt::format("can't start {}: {}", command[0],
                                                 std::generic_category().message(code)));
  }
  return Child(pid, ends[0]);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      status_(other.status_),
      pending_(std::move(other.pending_)) {}

Child::~Child() {
  if (pid_ > 0) end();
  if (output_ >= 0) ::close(output_);
}

Result<std::optional<std::string>> Child::read_line(bool (*interrupted)()) {
  while (true) {
    if (interrupted != nullptr && interrupted()) return fail(ErrorCode::unavailable, "interrupted");
    if (const size_t end = pending_.find('\n'); end != pending_.npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return std::optional(std::move(line));
    }
    char buffer[4096];
    const ssize_t got = ::read(output_, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return fail(ErrorCode::io_error,
                  fmt::format("a child's output: {}", std::generic_category().message(errno)));
    if (got == 0)
      return pending_.empty() ? std::nullopt : std::optional(std::exchange(pending_, {}));
    pending_.append(buffer, static_cast<size_t>(got));
  }
}

Result<std::string> Child::read_all() {
  std::string text;
  while (true) {
    MIZAN_TRY(line, read_line());
    if (!line) return text;
    text += *line + "\n";
  }
}

bool Child::running() {
  if (pid_ <= 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  status_ = status;
  pid_ = -1;
  return false;
}

int Child::wait() {
  while (pid_ > 0) {
    int status = 0;
    const int got = ::waitpid(pid_, &status, 0);
    if (got < 0 && errno == EINTR) continue;
    status_ = status;
    pid_ = -1;
  }
  return WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
}

int Child::end() {
  if (running()) ::kill(pid_, SIGTERM);
  for (int waited = 0; running() && waited < kEndPatienceMs; waited += 20)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (running()) ::kill(pid_, SIGKILL);
  return wait();
}

Result<std::string> run_command(const std::vector<std::string>& command,
                                const Child::Options& options) {
  MIZAN_TRY(child, Child::start(command, options));
  MIZAN_TRY(text, child.read_all());
  const int code = child.wait();
  if (code == 0) return text;
  std::string said = text;
  if (!options.error_file.empty())
    if (const auto error = read_small_file(options.error_file)) said += *error;
  if (said.size() > 2000) said.erase(0, said.size() - 2000);
  return fail(ErrorCode::internal,
              fmt::format("{} ended with exit code {}: {}",
                          fs::path(command[0]).filename().string(), code, said));
}

}  // namespace mizan::cli
