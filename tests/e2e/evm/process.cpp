#include "process.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mizan::test {

Process::Process(const std::vector<std::string>& command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], STDOUT_FILENO);
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  output_ = ends[0];
}

std::string Process::read_line() {
  std::string line;
  pollfd waiting{output_, POLLIN, 0};
  for (char c = 0; ::poll(&waiting, 1, 10'000) == 1 && ::read(output_, &c, 1) == 1 && c != '\n';)
    line.push_back(c);
  return line;
}

void Process::drain() {
  drain_ = std::thread([output = output_] {
    char piece[4096];
    while (::read(output, piece, sizeof piece) > 0) {
    }
  });
}

void Process::kill() {
  end(SIGKILL);
}

void Process::terminate() {
  end(SIGTERM);
}

void Process::end(int signal) {
  if (pid_ <= 0) return;
  ::kill(pid_, signal);
  ::waitpid(pid_, nullptr, 0);
  if (drain_.joinable()) drain_.join();
  ::close(output_);
  pid_ = -1;
}

std::string output_of(const std::vector<std::string>& command) {
  Process process(command);
  std::string out;
  for (std::string line = process.read_line(); !line.empty(); line = process.read_line())
    out += (out.empty() ? "" : "\n") + line;
  return out;
}

std::string foundry(const std::string& name) {
  return std::string(MIZAN_SOURCE_DIR) + "/contracts/node_modules/@foundry-rs/" + name +
         "-linux-amd64/bin/" + name;
}

}  // namespace mizan::test
