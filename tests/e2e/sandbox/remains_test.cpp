// What is left of a job: leftover processes, a killed monitor, hostile outputs, half-made jobs.
// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"
#include "sandbox/sys.hpp"

#include <algorithm>
#include <fstream>
#include <signal.h>
#include <sys/wait.h>

namespace mizan::sandbox::testing {

class RemainsTest : public SandboxTest {
 protected:
  std::vector<std::string> cgroups_of(const std::string& id) {
    std::vector<std::string> found;
    for (const auto& root : names_in("/sys/fs/cgroup")) {
      auto path = "/sys/fs/cgroup/" + root + "/mizan/" + id;
      if (std::filesystem::exists(path)) found.push_back(path);
    }
    if (std::filesystem::exists("/sys/fs/cgroup/mizan/" + id)) found.push_back("/sys/fs/cgroup");
    return found;
  }
  bool anything_left(const std::string& id) {
    return !processes_with(id).empty() || !cgroups_of(id).empty() ||
           read_whole("/proc/self/mounts").find(id) != std::string::npos ||
           !names_in(options().state_folder / "jobs").empty() ||
           !names_in(options().run_folder / "jobs").empty() ||
           !names_in(options().run_folder / "runtime").empty() ||
           !names_in(options().run_folder / "s").empty() ||
           !names_in(options().state_folder / "disks").empty();
  }
};

TEST_F(RemainsTest, DaemonsEndWithTheJob) {
  auto job = attacker({"daemon"});
  auto outcome = run(job);
  EXPECT_EQ(outcome.value("daemon"), "up");
  EXPECT_TRUE(wait_until([&] { return processes_with("attacker\0daemon").empty(); }));
  ASSERT_TRUE(box().destroy(job.id));
  EXPECT_TRUE(wait_until([&] { return !anything_left(job.id); }));
}

TEST_F(RemainsTest, DaemonsEndWithAKill) {
  auto job = shell("/workdir/attacker daemon; sleep 1000");
  job.copies = {{SANDBOX_ATTACKER, "/workdir/attacker"}};
  ASSERT_TRUE(box().prepare(job));
  ASSERT_TRUE(box().start(job.id));
  ASSERT_TRUE(wait_output(job.id, "daemon=up"));
  ASSERT_TRUE(box().kill(job.id));
  EXPECT_EQ(wait_exit(job.id).exit_code, 137);
  ASSERT_TRUE(box().destroy(job.id));
  EXPECT_TRUE(wait_until([&] { return !anything_left(job.id); }));
}

TEST_F(RemainsTest, AKilledMonitorEndsTheJob) {
  auto job = shell("trap '' PIPE; echo up; while :; do sleep 0.05; echo still 2>/dev/null; done");
  ASSERT_TRUE(box().prepare(job));
  ASSERT_TRUE(box().start(job.id));
  ASSERT_TRUE(wait_output(job.id, "up"));
  pid_t init = box().state(job.id)->pid;
  for (pid_t pid : processes_with("conmon")) {
    auto line = read_whole("/proc/" + std::to_string(pid) + "/cmdline");
    if (line.find(job.id) != line.npos && line.find("conmon") < 20) ::kill(pid, SIGKILL);
  }
  auto state = wait_exit(job.id);
  EXPECT_EQ(state.phase, Phase::exited);
  EXPECT_EQ(state.reason, EndReason::monitor_lost);
  EXPECT_EQ(state.exit_code, 137);
  EXPECT_TRUE(wait_until([&] { return !identify(init); }));
  EXPECT_EQ(box().state(job.id)->ran_ms, state.ran_ms);  // the bill stands still
  ASSERT_TRUE(box().destroy(job.id));
  EXPECT_TRUE(wait_until([&] { return !anything_left(job.id); }));
}

TEST_F(RemainsTest, OutputsAreReadWithoutBeingLedAstray) {
  write_whole(folder_->path / "secret", "of the machine");
  auto job = shell(
      "mkdir -p /logs/deep out; echo model > model.pt; echo a > /logs/deep/a; ln model.pt out/hard;"
      "ln -s /etc/shadow out/shadow; ln -s / out/root; ln -s ../model.pt out/soft; mkfifo out/fifo;"
      "ln -s " +
      folder_->path.string() +
      "/secret out/secret; ln -s /proc/1/root out/proc;"
      "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"out/socket\")';"
      "cp /usr/bin/id out/id; chmod 6755 out/id; truncate -s 1T out/sparse; ln -s out link; true");
  auto outcome = run(job);
  ASSERT_EQ(outcome.state.exit_code, 0) << outcome.err;
  auto tree = box().outputs(job.id);
  ASSERT_TRUE(tree);
  OutputLimits limits;
  limits.bytes_max = 2ULL << 40;
  auto list = tree->list(
      {"model.pt", "/logs", "out", "link/hard", "missing", "../etc", "/usr/bin/id", "out/hard"},
      "/workdir", limits);
  ASSERT_TRUE(list) << list.error().message;
  std::vector<std::string> paths, refused;
  for (const auto& entry : list->entries) paths.push_back(entry.path);
  for (const auto& refusal : list->refused) refused.push_back(refusal.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"/workdir/model.pt", "/logs", "/logs/deep",
                                             "/logs/deep/a", "/workdir/out", "/workdir/out/hard",
                                             "/workdir/out/id", "/workdir/out/sparse"}));
  EXPECT_EQ(refused, (std::vector<std::string>{"/workdir/out/fifo", "/workdir/out/proc",
                                               "/workdir/out/root", "/workdir/out/secret",
                                               "/workdir/out/shadow", "/workdir/out/socket",
                                               "/workdir/out/soft", "/workdir/link/hard",
                                               "/workdir/missing", "../etc", "/usr/bin/id"}));
  for (const auto& entry : list->entries) EXPECT_EQ(entry.mode & ~0777U, 0U) << entry.path;
  for (const auto* path :
       {"/workdir/out/shadow", "/workdir/out/fifo", "/workdir/out/socket",
        "/workdir/out/root/etc/shadow", "/workdir/out", "/proc/1/root/etc/shadow",
        "/workdir/../../etc/shadow", "/workdir/link/hard", "/dev/null"}) {
    auto opened = tree->open(path);
    EXPECT_FALSE(opened) << path;
  }
  auto file = tree->open("/workdir/model.pt");
  ASSERT_TRUE(file);
  char text[16] = {};
  EXPECT_EQ(::read(file->get(), text, sizeof text), 6);
  EXPECT_STREQ(text, "model\n");
  limits.bytes_max = kMiB;
  EXPECT_EQ(tree->list({"out"}, "/workdir", limits).error().code, ErrorCode::too_large);
  limits.entries_max = 3;
  EXPECT_EQ(tree->list({"/logs", "model.pt"}, "/workdir", limits).error().code,
            ErrorCode::too_large);
}

TEST_F(RemainsTest, ARestartedAgentFindsItsRunningJob) {
  auto job = python(
      "import time\n"
      "for i in range(40):\n    print('line %d' % i)\n    time.sleep(0.02)\n"
      "import sys\nsys.exit(7)");
  ASSERT_TRUE(box().prepare(job));
  ASSERT_TRUE(box().start(job.id));
  uint64_t begin = boottime_ms();
  ASSERT_TRUE(wait_output(job.id, "line 3\n"));
  LogReader first(box().log_path(job.id));
  std::string text;
  auto chunks = first.read();
  ASSERT_TRUE(chunks);
  for (const auto& chunk : *chunks) text += chunk.data;
  auto found = restart();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].id, job.id);
  EXPECT_EQ(found[0].state.phase, Phase::running);
  auto state = wait_exit(job.id);
  uint64_t whole = boottime_ms() - begin;
  EXPECT_EQ(state.exit_code, 7);
  EXPECT_GE(state.ran_ms + 25, 800U);
  EXPECT_LE(state.ran_ms, whole + 30);
  LogReader second(box().log_path(job.id), first.offset());
  chunks = second.read(1 << 20, true);
  ASSERT_TRUE(chunks);
  for (const auto& chunk : *chunks) text += chunk.data;
  std::string wanted;
  for (int i = 0; i < 40; ++i) wanted += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(text, wanted);
}

TEST_F(RemainsTest, AnEndWhileTheAgentIsAwayIsFoundWithItsTime) {
  auto job = shell("sleep 0.3; exit 5");
  ASSERT_TRUE(box().prepare(job));
  ASSERT_TRUE(box().start(job.id));
  box_.reset();
  auto exit_file = options().run_folder / "jobs" / job.id / "ended";
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(exit_file); }));
  ASSERT_TRUE(wait_until([&] { return processes_with(job.id).empty(); }));
  auto found = restart();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].state.phase, Phase::exited);
  EXPECT_EQ(found[0].state.exit_code, 5);
  EXPECT_GE(found[0].state.ran_ms + 25, 300U);
  EXPECT_LE(found[0].state.ran_ms, 2000U);
}

TEST_F(RemainsTest, AnotherRunOfTheMachineIsSaid) {
  auto job = shell("sleep 1000");
  ASSERT_TRUE(box().prepare(job));
  ASSERT_TRUE(box().start(job.id));
  auto path = options().state_folder / "jobs" / job.id / "record.json";
  auto text = read_whole(path);
  auto boot = boot_id();
  text.replace(text.find(boot), boot.size(), "00000000-0000-0000-0000-000000000000");
  // As after a restart: the record is of another run of the kernel, and nothing of it runs.
  ASSERT_TRUE(box().kill(job.id));
  wait_exit(job.id);
  write_whole(path, text);
  auto found = restart();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].state.phase, Phase::exited);
  EXPECT_EQ(found[0].state.reason, EndReason::machine_restarted);
  EXPECT_EQ(wait_exit(job.id).reason, EndReason::machine_restarted);
  EXPECT_EQ(box().outputs(job.id).error().code, ErrorCode::unavailable);
  ASSERT_TRUE(box().destroy(job.id));
  EXPECT_TRUE(wait_until([&] { return !anything_left(job.id); }));
}

TEST_F(RemainsTest, TheMonitorIsOutsideOfTheAgentsService) {
  // A service manager that stops the agent kills what is in its cgroup; a job must not be.
  std::string root = "/sys/fs/cgroup";
  if (std::filesystem::exists(root + "/systemd")) root += "/systemd";
  auto service = std::filesystem::path(root) / ("mizan-test-" + new_id().substr(0, 8));
  std::filesystem::create_directory(service);
  auto job = shell("echo up; sleep 1000");
  auto settings = options();
  box_.reset();
  pid_t agent = ::fork();
  if (agent == 0) {
    std::ofstream(service / "cgroup.procs") << ::getpid() << std::flush;
    auto opened = Sandbox::open(settings);
    bool up = opened && opened->recover() && opened->prepare(job) && opened->start(job.id);
    ::_exit(up ? 0 : 1);
  }
  int status = 0;
  ::waitpid(agent, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(read_whole(service / "cgroup.procs"), "");
  EXPECT_TRUE(std::filesystem::remove(service));
  ASSERT_EQ(restart().size(), 1U);
  EXPECT_EQ(box().state(job.id)->phase, Phase::running);
}

/// Runs `act` in a child that is killed with SIGKILL after `delay_us`; true if it got to its end.
bool killed_after(useconds_t delay_us, const std::function<bool()>& act) {
  pid_t child = ::fork();
  if (child == 0) ::_exit(act() ? 0 : 1);
  ::usleep(delay_us);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(RemainsTest, AnAgentKilledAtAnyInstantLosesNothing) {
  // The whole life of a job, cut off every few milliseconds further: whatever is found is a whole
  // job that can be used and destroyed, or nothing at all, and in the end nothing is left.
  auto settings = options();
  box_.reset();
  useconds_t step = 4000;
  bool whole = false;
  int made = 0, running = 0, exited = 0;
  for (useconds_t delay = 0; !whole && delay < 2'000'000; delay += step) {
    auto job = shell("echo up; exit 3");
    whole = killed_after(delay, [&] {
      auto opened = Sandbox::open(settings);
      if (!opened || !opened->recover() || !opened->prepare(job) || !opened->start(job.id))
        return false;
      auto notice = opened->exit_notice(job.id);
      return notice && wait_gone(*notice, 10'000) && opened->destroy(job.id).has_value();
    });
    auto found = restart();
    ASSERT_LE(found.size(), 1U);
    if (found.size() == 1) {
      ASSERT_EQ(found[0].id, job.id);
      if (found[0].state.phase == Phase::created) {
        ++made;
        auto started = box().start(job.id);
        ASSERT_TRUE(started) << started.error().message;
      }
      running += found[0].state.phase == Phase::running;
      exited += found[0].state.phase == Phase::exited;
      auto state = wait_exit(job.id);
      EXPECT_EQ(state.exit_code, 3) << "cut off after " << delay << " us";
      EXPECT_EQ(output(job.id), "up\n");
      ASSERT_TRUE(box().destroy(job.id));
    }
    // A runtime that was cut off while it made a container may need a moment to die.
    EXPECT_TRUE(wait_until([&] { return !anything_left(job.id); }, 5000))
        << "cut off after " << delay << " us";
    box_.reset();
  }
  EXPECT_TRUE(whole);
  EXPECT_GT(made + running + exited, 0);
  restart();
}

}  // namespace mizan::sandbox::testing
