// A hostile job against each limit: processes, memory, disk, log, files, time.
// SPDX-License-Identifier: Apache-2.0
#include "fixture.hpp"
#include "sandbox/sys.hpp"

#include <sstream>
#include <sys/resource.h>
#include <sys/stat.h>

namespace mizan::sandbox::testing {

class LimitsTest : public SandboxTest {};

TEST_F(LimitsTest, AForkBombEndsAtTheLimit) {
  auto bomb = attacker({"forks"});
  bomb.limits.pids = 40;
  auto outcome = run(bomb);
  EXPECT_EQ(outcome.value("forked"), "38");  // the init and the bomb itself are the other two
  EXPECT_EQ(outcome.value("fork_error"), "EAGAIN");
  EXPECT_TRUE(outcome.state.pids_limit_hit);
  EXPECT_EQ(outcome.state.exit_code, 0);
}

TEST_F(LimitsTest, AForkBombThatNeverEndsIsKilledWhole) {
  // A shell whose fork fails ends by itself: the first one only starts the bomb.
  auto bomb = shell("echo up; f() { while :; do f & done; }; f & while :; do :; done");
  ASSERT_TRUE(box().prepare(bomb));
  ASSERT_TRUE(box().start(bomb.id));
  ASSERT_TRUE(wait_until([&] { return box().state(bomb.id)->pids_limit_hit; }));
  ASSERT_TRUE(box().kill(bomb.id));
  EXPECT_EQ(wait_exit(bomb.id).exit_code, 137);
  ASSERT_TRUE(box().destroy(bomb.id));
}

TEST_F(LimitsTest, MemoryEndsAtTheLimitAndTheReasonSaysSo) {
  auto hog = attacker({"memory"});
  hog.limits.memory_bytes = 64 * kMiB;
  auto outcome = run(hog);
  EXPECT_EQ(outcome.state.exit_code, 137);
  EXPECT_EQ(outcome.state.reason, EndReason::out_of_memory);
  std::istringstream words(outcome.out.substr(outcome.out.rfind("mib=") + 4));
  uint64_t reached = 0;
  words >> reached;
  EXPECT_GE(reached, 32U);
  EXPECT_LT(reached, 64U);
}

TEST_F(LimitsTest, SharedMemoryCountsAsMemory) {
  auto hog = shell(
      "head -c 100M /dev/zero > /dev/shm/a; echo full=$?; ls -l /dev/shm/a | awk '{print \"size=\" "
      "$5}';"
      "python3 -c \"import mmap; m = mmap.mmap(-1, 100 << 20); m.write(b'x' * (100 << 20))\"; echo "
      "code=$?");
  hog.limits.memory_bytes = 64 * kMiB;
  auto outcome = run(hog);
  EXPECT_EQ(outcome.value("full"), "1") << outcome.out << outcome.err;
  EXPECT_EQ(outcome.value("size"), std::to_string(32 * kMiB));
  EXPECT_EQ(outcome.value("code"), "137");
  EXPECT_TRUE(outcome.state.memory_limit_hit);
  EXPECT_EQ(outcome.state.reason, EndReason::exited);  // something in it was killed, it went on
}

TEST_F(LimitsTest, TheDiskEndsAtItsSize) {
  auto hog = shell(
      "head -c 200M /dev/zero > /workdir/fill; echo filled=$?; sync; stat -c size=%s /workdir/fill;"
      "head -c 1M /dev/zero > /tmp/more; echo more=$?; df -B1 --output=size / | tail -1");
  auto outcome = run(hog);
  EXPECT_EQ(outcome.value("filled"), "1");
  EXPECT_EQ(outcome.value("more"), "1");
  EXPECT_TRUE(outcome.state.disk_full);
  EXPECT_LT(std::stoull(outcome.value("size")), 64 * kMiB);
  EXPECT_GT(std::stoull(outcome.value("size")), 32 * kMiB);
  for (const auto& disk : names_in(options().state_folder / "disks")) {
    struct stat image {};
    auto path = options().state_folder / "disks" / disk / "image";
    ASSERT_EQ(::stat(path.c_str(), &image), 0);
    EXPECT_EQ(static_cast<uint64_t>(image.st_size), 64 * kMiB);
    EXPECT_LT(static_cast<uint64_t>(image.st_blocks) * 512, 65 * kMiB);
    EXPECT_GE(static_cast<uint64_t>(image.st_blocks) * 512, 64 * kMiB);  // its room was its own
  }
}

TEST_F(LimitsTest, InodesEndToo) {
  auto hog = python(
      "import os\nn = 0\ntry:\n"
      "    while True:\n        os.close(os.open('/workdir/%d' % n, os.O_CREAT)); n += 1\n"
      "except OSError as e: print('files=%d' % n); print('error=%d' % e.errno)");
  auto outcome = run(hog);
  EXPECT_EQ(outcome.value("error"), "28") << outcome.out << outcome.err;
  EXPECT_TRUE(outcome.state.disk_full);
}

TEST_F(LimitsTest, ALogFloodKeepsTheFirstBytesAndNeverBlocks) {
  auto flood = python(
      "import sys\n"
      "for i in range(200000): print('line %d' % i)\n"
      "open('/workdir/done', 'w').write('yes')\n");
  flood.limits.log_bytes = 1 * kMiB;
  auto outcome = run(flood);
  EXPECT_EQ(outcome.state.exit_code, 0);
  EXPECT_TRUE(outcome.state.log_full);
  EXPECT_LT(std::filesystem::file_size(box().log_path(flood.id)), 1 * kMiB + 64 * 1024);
  EXPECT_TRUE(outcome.out.starts_with("line 0\nline 1\n"));
  auto done = box().outputs(flood.id)->open("/workdir/done");
  EXPECT_TRUE(done) << "the job did not get past its flood";
}

TEST_F(LimitsTest, AFloodOfEmptyLinesIsBoundedToo) {
  auto flood = shell("yes '' | head -c 3000000; echo finished > /workdir/done");
  flood.limits.log_bytes = 1 * kMiB;
  run(flood);
  EXPECT_LT(std::filesystem::file_size(box().log_path(flood.id)), 1 * kMiB + 1 * kMiB);
  EXPECT_TRUE(box().outputs(flood.id)->open("/workdir/done"));
}

TEST_F(LimitsTest, OpenFilesAndPrioritiesAreBounded) {
  auto outcome = run(attacker({"limits"}));
  EXPECT_EQ(outcome.value("nofile"), "256");
  EXPECT_EQ(outcome.value("raise_nofile"), "EPERM");
  EXPECT_EQ(outcome.value("open_error"), "EMFILE");
  EXPECT_LT(std::stoi(outcome.value("opened")), 256);
  EXPECT_NE(outcome.value("nice"), "allowed");
  EXPECT_NE(outcome.value("realtime"), "allowed");
  rlimit own{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &own), 0);
  auto greedy = shell("ulimit -Hn");
  greedy.limits.open_files = own.rlim_max + 1;  // more than the agent could give
  EXPECT_EQ(run(greedy).out, std::to_string(own.rlim_max) + "\n");
}

/// Eight processes that want a CPU each for a second; prints how many they had on average.
constexpr const char* kBurn = R"(
import os, resource, time
def used():
    times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(t.ru_utime + t.ru_stime for t in times)
first = os.getpid()
begin, before = time.monotonic(), used()
for _ in range(3): os.fork()
end = time.monotonic() + 1
while time.monotonic() < end: pass
try:
    while True: os.wait()
except OSError: pass
if os.getpid() == first:
    print('cpus=%d' % len(os.sched_getaffinity(0)))
    print('share=%.2f' % ((used() - before) / (time.monotonic() - begin)))
)";

TEST_F(LimitsTest, CoresAreBounded) {
  auto outcome = run(python(kBurn));  // one core: of its own, if one is free, or a quota
  EXPECT_LT(std::stod(outcome.value("share")), 1.3) << outcome.out;
  auto many = python(kBurn);
  many.limits.cores = static_cast<uint32_t>(::sysconf(_SC_NPROCESSORS_ONLN)) + 1;  // never free
  EXPECT_EQ(run(many).value("cpus"), std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)));
}

TEST_F(LimitsTest, OneCoreWithoutACpuOfItsOwnIsAQuota) {
  // The first jobs take all the CPUs; the next one gets time.
  for (long i = 0; i < ::sysconf(_SC_NPROCESSORS_ONLN); ++i)
    ASSERT_TRUE(box().prepare(shell("sleep 1000")));
  auto outcome = run(python(kBurn));
  EXPECT_EQ(outcome.value("cpus"), std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)));
  EXPECT_LT(std::stod(outcome.value("share")), 1.3) << outcome.out;
}

}  // namespace mizan::sandbox::testing
