// A job's life in the sandbox: start, output, exit codes, signals, metering, destruction.
// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"
#include "sandbox/sys.hpp"

#include <signal.h>

namespace mizan::sandbox::testing {

class LifeTest : public SandboxTest {};

TEST_F(LifeTest, RunsACommandAndKeepsItsOutput) {
  auto outcome = run(shell("echo hello; echo oops >&2; printf 'no end'; exit 3"));
  EXPECT_EQ(outcome.out, "hello\nno end");
  EXPECT_EQ(outcome.err, "oops\n");
  EXPECT_EQ(outcome.state.exit_code, 3);
  EXPECT_EQ(outcome.state.reason, EndReason::exited);
  EXPECT_FALSE(outcome.state.memory_limit_hit);
  EXPECT_FALSE(outcome.state.disk_full);
}

TEST_F(LifeTest, ExitCodesAreTheJobsOwn) {
  EXPECT_EQ(run(shell("exit 0")).state.exit_code, 0);
  EXPECT_EQ(run(shell("kill -9 $$")).state.exit_code, 137);
  auto missing = run(spec({"/nonexistent/command"}));
  EXPECT_NE(missing.state.exit_code, 0);
  EXPECT_NE(missing.err.find("No such file or directory"), std::string::npos) << missing.err;
  EXPECT_EQ(run(spec({"sh", "-c", "exit 4"})).state.exit_code, 4);  // found by PATH
  auto outcome = run(shell("kill -TERM $$"));
  EXPECT_EQ(outcome.state.exit_code, 143);
}

TEST_F(LifeTest, IsCreatedThenRunsThenEnds) {
  auto job = shell("echo up; read line; echo never");
  job.argv = {"/bin/sh", "-c", "echo up; sleep 1000"};
  ASSERT_TRUE(box().prepare(job));
  auto state = box().state(job.id);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->phase, Phase::created);
  EXPECT_EQ(state->ran_ms, 0U);
  EXPECT_EQ(output(job.id), "");
  auto again = box().prepare(job);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::already_exists);
  ASSERT_TRUE(box().start(job.id));
  ASSERT_TRUE(wait_output(job.id, "up\n"));
  EXPECT_EQ(box().state(job.id)->phase, Phase::running);
  auto twice = box().start(job.id);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, ErrorCode::conflict);
  ASSERT_TRUE(box().kill(job.id));
  state = wait_exit(job.id);
  EXPECT_EQ(state->phase, Phase::exited);
  EXPECT_EQ(state->exit_code, 137);
  EXPECT_EQ(state->reason, EndReason::exited);
  ASSERT_TRUE(box().destroy(job.id));
  EXPECT_EQ(box().state(job.id).error().code, ErrorCode::not_found);
  EXPECT_TRUE(box().destroy(job.id));
  EXPECT_TRUE(box().list().empty());
}

TEST_F(LifeTest, CanBeDestroyedBeforeItStarts) {
  auto job = shell("echo never");
  ASSERT_TRUE(box().prepare(job));
  ASSERT_TRUE(box().destroy(job.id));
  EXPECT_TRUE(processes_with(job.id).empty());
}

TEST_F(LifeTest, CanBeKilledBeforeItStarts) {
  auto job = shell("echo never");
  ASSERT_TRUE(box().prepare(job));
  ASSERT_TRUE(box().kill(job.id));
  auto state = wait_exit(job.id);
  EXPECT_EQ(state.phase, Phase::exited);
  EXPECT_EQ(state.ran_ms, 0U);
  EXPECT_FALSE(box().start(job.id));
}

TEST_F(LifeTest, MetersByABootClock) {
  auto job = shell("sleep 0.5");
  ASSERT_TRUE(box().prepare(job));
  uint64_t before = boottime_ms();
  ASSERT_TRUE(box().start(job.id));
  auto state = wait_exit(job.id);
  uint64_t whole = boottime_ms() - before;
  EXPECT_GE(state.ran_ms + 25, 500U);  // 10 ms steps, and the start's own time is not billed
  EXPECT_LE(state.ran_ms, whole + 10);
  EXPECT_EQ(box().state(job.id)->ran_ms, state.ran_ms);
}

TEST_F(LifeTest, SignalsReachTheHandlerAndSpareTheShell) {
  auto job = shell(
      "python3 -u -c 'import signal,time\n"
      "signal.signal(signal.SIGUSR1, lambda *a: print(\"checkpoint\"))\n"
      "print(\"ready\")\n"
      "while True: time.sleep(0.05)' & sleep 1000");
  ASSERT_TRUE(box().prepare(job));
  ASSERT_TRUE(box().start(job.id));
  ASSERT_TRUE(wait_output(job.id, "ready\n"));
  auto sent = box().signal(job.id, SIGUSR1);
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_EQ(*sent, 1U);
  EXPECT_TRUE(wait_output(job.id, "checkpoint\n"));
  EXPECT_EQ(box().state(job.id)->phase, Phase::running);
  EXPECT_EQ(*box().signal(job.id, SIGTERM), 0U);  // nobody handles it: kill at once
}

TEST_F(LifeTest, CopiesTheWorkingTreeAndMakesFolders) {
  auto tree = folder_->path / "tree";
  write_whole(tree / "sub/data.txt", "forty-two\n");
  std::filesystem::create_symlink("sub/data.txt", tree / "link");
  auto job = shell("cat sub/data.txt link; echo x > /checkpoints/a && echo wrote; pwd; id -u; env");
  job.copies = {{tree, "/workdir"}};
  job.folders = {"/checkpoints"};
  job.env = {{"EPOCHS", "3"}, {"LANG", "C"}};
  auto outcome = run(job);
  EXPECT_NE(outcome.out.find("forty-two\nforty-two\nwrote\n/workdir\n1000\n"), std::string::npos)
      << outcome.out << outcome.err;
  EXPECT_EQ(outcome.value("EPOCHS"), "3");
  EXPECT_EQ(outcome.value("LANG"), "C");
  EXPECT_EQ(outcome.value("HOME"), "/home/job");
}

TEST_F(LifeTest, FilesThatDoNotFitAreAnErrorAndLeaveNothing) {
  auto tree = folder_->path / "tree";
  write_whole(tree / "large", std::string(40 * kMiB, 'x'));
  auto job = shell("true");
  job.limits.disk_bytes = 32 * kMiB;
  job.copies = {{tree, "/workdir"}};
  auto prepared = box().prepare(job);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code, ErrorCode::too_large);
  EXPECT_TRUE(names_in(options().state_folder / "jobs").empty());
  EXPECT_TRUE(wait_until([&] { return names_in(options().state_folder / "disks").empty(); }));
  EXPECT_TRUE(names_in(options().run_folder / "jobs").empty());
}

TEST_F(LifeTest, SecretsAreNotOnACommandLineAndGoWithTheJob) {
  auto job = shell("echo up; sleep 1000");
  job.env = {{"TOKEN", "s3cret-" + new_id()}};
  ASSERT_TRUE(box().prepare(job));
  ASSERT_TRUE(box().start(job.id));
  ASSERT_TRUE(wait_output(job.id, "up"));
  EXPECT_TRUE(processes_with(job.env[0].second).empty());
  auto config = options().run_folder / "jobs" / job.id / "config.json";
  EXPECT_EQ(std::filesystem::status(config).permissions(), std::filesystem::perms(0600));
  ASSERT_TRUE(box().destroy(job.id));
  EXPECT_FALSE(std::filesystem::exists(config));
}

}  // namespace mizan::sandbox::testing
