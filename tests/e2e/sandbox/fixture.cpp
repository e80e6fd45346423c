// What the sandbox's tests share: a sandbox of their own, and running a job to its end.
// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"

#include "sandbox/sys.hpp"

#include <chrono>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/stat.h>
#include <thread>

namespace mizan::sandbox::testing {

namespace {

std::string make_temporary() {
  std::string name = std::filesystem::temp_directory_path() / "mizan-sandbox-XXXXXX";
  EXPECT_NE(::mkdtemp(name.data()), nullptr);
  ::chmod(name.c_str(), 0711);
  return name;
}

}  // namespace

TemporaryFolder::TemporaryFolder() : path(make_temporary()) {}
TemporaryFolder::~TemporaryFolder() {
  auto removed = remove_tree(path);
  EXPECT_TRUE(removed) << removed.error().message;
}

std::string Outcome::value(const std::string& name) const {
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + "=")) return line.substr(name.size() + 1);
  return {};
}

bool wait_until(const std::function<bool()>& holds, int timeout_ms) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::string read_whole(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_whole(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

std::vector<pid_t> processes_with(const std::string& text) {
  std::vector<pid_t> found;
  for (const auto& name : names_in("/proc")) {
    auto pid = parse_number(name);
    if (!pid) continue;
    auto line = read_whole("/proc/" + name + "/cmdline");
    if (line.find(text) != line.npos) found.push_back(static_cast<pid_t>(*pid));
  }
  return found;
}

void SandboxTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "the sandbox needs root";
  folder_ = std::make_unique<TemporaryFolder>();
  restart();
}

void SandboxTest::TearDown() {
  if (!box_) return;
  for (const auto& id : box_->list()) {
    auto gone = box_->destroy(id);
    EXPECT_TRUE(gone) << gone.error().message;
  }
  box_.reset();
  // Nothing of it may be left mounted.
  EXPECT_EQ(read_whole("/proc/self/mounts").find(folder_->path.string()), std::string::npos);
  folder_.reset();
}

Options SandboxTest::options() const {
  Options options;
  options.state_folder = folder_->path / "state";
  options.run_folder = folder_->path / "run";
  // Where both runtimes work, the tests can be run with the one that is not chosen by itself.
  if (const char* runtime = std::getenv("MIZAN_TEST_RUNTIME")) options.runtime = runtime;
  return options;
}

std::vector<Found> SandboxTest::restart() {
  box_.reset();
  auto opened = Sandbox::open(options());
  if (!opened) {
    ADD_FAILURE() << opened.error().message;
    std::abort();
  }
  box_ = std::make_unique<Sandbox>(std::move(*opened));
  auto found = box_->recover();
  EXPECT_TRUE(found) << found.error().message;
  return found.value_or(std::vector<Found>{});
}

std::string SandboxTest::new_id() {
  return random_hex(32);
}

Spec SandboxTest::spec(std::vector<std::string> argv) {
  Spec spec;
  spec.id = new_id();
  spec.argv = std::move(argv);
  spec.limits.memory_bytes = 256 * kMiB;
  spec.limits.disk_bytes = 64 * kMiB;
  spec.limits.pids = 64;
  spec.limits.open_files = 256;
  return spec;
}

Spec SandboxTest::shell(const std::string& script) {
  return spec({"/bin/sh", "-c", script});
}

Spec SandboxTest::python(const std::string& script) {
  return spec({"/usr/bin/python3", "-u", "-c", script});
}

Spec SandboxTest::attacker(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "/workdir/attacker");
  auto attack = spec(std::move(arguments));
  attack.copies = {{SANDBOX_ATTACKER, "/workdir/attacker"}};
  return attack;
}

State SandboxTest::wait_exit(const std::string& id, int timeout_ms) {
  auto notice = box().exit_notice(id);
  EXPECT_TRUE(notice) << notice.error().message;
  if (!notice) return {};
  pollfd wait{notice->get(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, timeout_ms), 1) << "the job did not end";
  auto state = box().state(id);
  EXPECT_TRUE(state) << state.error().message;
  return state.value_or(State{});
}

std::string SandboxTest::output(const std::string& id, LogStream stream) {
  LogReader reader(box().log_path(id));
  std::string text;
  while (true) {
    auto chunks = reader.read(1 << 20, true);
    EXPECT_TRUE(chunks) << chunks.error().message;
    if (!chunks || chunks->empty()) return text;
    for (const auto& chunk : *chunks)
      if (chunk.stream == stream) text += chunk.data;
  }
}

bool SandboxTest::wait_output(const std::string& id, const std::string& text) {
  return wait_until([&] { return output(id).find(text) != std::string::npos; });
}

Outcome SandboxTest::run(const Spec& spec) {
  auto prepared = box().prepare(spec);
  EXPECT_TRUE(prepared) << prepared.error().message;
  if (!prepared) return {};
  auto started = box().start(spec.id);
  EXPECT_TRUE(started) << started.error().message;
  if (!started) return {};
  Outcome outcome;
  outcome.state = wait_exit(spec.id);
  EXPECT_EQ(outcome.state.phase, Phase::exited);
  outcome.out = output(spec.id);
  outcome.err = output(spec.id, LogStream::err);
  return outcome;
}

}  // namespace mizan::sandbox::testing
