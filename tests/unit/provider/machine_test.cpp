// The one-machine backend over the real sandbox. Needs root, as a provider does.
#include "provider/machine.hpp"

#include "crypto/sealed.hpp"
#include "provider/outputs.hpp"
#include "transfer/tree.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <unistd.h>

namespace mizan::provider {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class MachineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "running jobs needs root";
    std::string name = (fs::temp_directory_path() / "mizan-machine-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    fs::permissions(folder_, fs::perms(0711));  // jobs pass through it
    open();
  }
  void TearDown() override {
    if (machine_) {
      machine_->remove(lease_);
      wait<Removed>();
      machine_.reset();
    }
    std::error_code error;
    fs::remove_all(folder_, error);
  }

  void open() {
    machine_.reset();
    MachineOptions options;
    options.sandbox.state_folder = folder_ / "jobs";
    options.sandbox.claims_folder = folder_ / "claims";
    options.work_folder = folder_ / "work";
    options.exchange = *net::parse_url("http://127.0.0.1:1");
    auto opened = Machine::open(std::move(options), [this](BackendEvent event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
      changed_.notify_all();
    });
    ASSERT_TRUE(opened) << opened.error().message;
    machine_ = *std::move(opened);
  }

  /// The next event of this kind, each one once.
  template <class Kind>
  std::optional<Kind> wait() {
    std::unique_lock lock(mutex_);
    std::optional<Kind> found;
    changed_.wait_for(lock, 60s, [&] {
      for (auto it = events_.begin(); it != events_.end(); ++it) {
        if (Kind* kind = std::get_if<Kind>(&it->what)) {
          found = std::move(*kind);
          events_.erase(it);
          return true;
        }
      }
      return false;
    });
    EXPECT_TRUE(found) << "no such event within a minute";
    return found;
  }

  Workload load(const std::string& run) {
    Workload load;
    load.lease = lease_;
    load.job.name = "test";
    load.job.run = run;
    load.job.max_seconds = 100;
    load.job.output_key.bytes = box_.public_key().bytes;
    load.memory_bytes = 256ULL << 20;
    load.disk_bytes = 64ULL << 20;
    return load;
  }

  void run(const Workload& workload) {
    machine_->prepare(workload);
    const auto prepared = wait<Prepared>();
    ASSERT_TRUE(prepared && prepared->result) << prepared->result.error().message;
    machine_->start(lease_);
    const auto started = wait<Started>();
    ASSERT_TRUE(started && started->result) << started->result.error().message;
  }

  std::string log() {
    const auto bytes = machine_->read_log(lease_, 0, 1 << 20);
    return bytes ? std::string(as_text(*bytes)) : "";
  }

  /// Waits until the log holds `text`, woken by what the machine tells.
  bool wait_for_log(const std::string& text) {
    for (int i = 0; i < 100; ++i) {
      if (log().find(text) != std::string::npos) return true;
      if (!wait<LogGrew>()) return false;
    }
    return false;
  }

  LeaseId lease_ = sha256("a lease of machine_test");
  BoxKey box_ = BoxKey::generate();
  fs::path folder_;
  std::unique_ptr<Machine> machine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BackendEvent> events_;
};

TEST_F(MachineTest, RunsAJobAndBringsItsOutputsBack) {
  Workload workload = load(
      "echo \"in $MIZAN_JOB\"; echo model > model.pt; mkdir /logs; "
      "echo l > /logs/a; ln -s /etc/passwd link; exit 5");
  workload.job.setup = "echo setup";
  workload.job.outputs = {"model.pt", "/logs", "link", "missing"};
  run(workload);
  const auto exited = wait<Exited>();
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->status.exit_code, 5);
  EXPECT_EQ(exited->status.reason, "failed");
  const std::string text = log();
  EXPECT_NE(text.find("stdout F setup\n"), std::string::npos) << text;
  EXPECT_NE(text.find("stdout F in test\n"), std::string::npos) << text;
  machine_->collect(workload);
  const auto collected = wait<Collected>();
  ASSERT_TRUE(collected && collected->outputs) << collected->outputs.error().message;
  const fs::path sealed = folder_ / "work" / hex(lease_.view()) / "outputs.sealed";
  EXPECT_EQ(transfer::digest_of_file(sealed)->sha256, *collected->outputs);
  auto tar = transfer::FileSink::create(folder_ / "out.tar");
  Opener opener(box_, [&](ByteView bytes) { return tar->write(bytes); });
  auto source = *transfer::file_source(sealed);
  for (auto piece = source(); piece && !piece->empty(); piece = source())
    ASSERT_TRUE(opener.write(*piece));
  ASSERT_TRUE(opener.finish());
  ASSERT_TRUE(tar->finish());
  const auto unpacked = transfer::unpack_tree_from_file(folder_ / "out.tar", folder_ / "out");
  ASSERT_TRUE(unpacked) << unpacked.error().message;
  const auto content = [&](const char* name) {
    std::ifstream in(folder_ / "out" / name);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  EXPECT_EQ(content("model.pt"), "model\n");
  EXPECT_EQ(content("logs/a"), "l\n");
  EXPECT_FALSE(fs::exists(folder_ / "out/link"));
  const std::string refused = content(kRefusedName);
  EXPECT_NE(refused.find("/workdir/link"), std::string::npos) << refused;
  EXPECT_NE(refused.find("/workdir/missing"), std::string::npos) << refused;
  machine_->upload(lease_);
  EXPECT_EQ(wait<Uploaded>()->result.error().code, ErrorCode::unavailable);
}

TEST_F(MachineTest, TakesUpAJobThatOutlivedIt) {
  run(load("echo first; trap 'echo told; exit 9' USR1; while :; do sleep 0.05; done"));
  ASSERT_TRUE(wait_for_log("first"));
  open();  // as an agent that died and was started again
  const auto found = machine_->recover();
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->at(0).lease, lease_);
  EXPECT_EQ(found->at(0).phase, JobPhase::running);
  machine_->signal(lease_, "USR1", true);
  const auto exited = wait<Exited>();
  ASSERT_TRUE(exited);
  EXPECT_EQ(exited->status.exit_code, 9);
  EXPECT_NE(log().find("told"), std::string::npos);
}

TEST_F(MachineTest, KillsWhereNobodyHearsTheSignal) {
  run(load("echo up; exec sleep 1000"));
  ASSERT_TRUE(wait_for_log("up"));
  machine_->signal(lease_, "USR1", true);
  EXPECT_EQ(wait<Exited>()->status.exit_code, 137);
}

TEST_F(MachineTest, SaysWhatCannotBeMadeReady) {
  Workload workload = load("true");
  workload.job.image = "oci:none";
  machine_->prepare(workload);
  EXPECT_EQ(wait<Prepared>()->result.error().code, ErrorCode::not_found);
  workload.job.image = "host";
  workload.job.workdir = sha256("archive");
  machine_->prepare(workload);  // the exchange is not there: worth another try
  EXPECT_EQ(wait<Prepared>()->result.error().code, ErrorCode::unavailable);
  EXPECT_FALSE(fs::exists(folder_ / "work" / hex(lease_.view())));
}

TEST_F(MachineTest, RemovesWhatItHasOfAJob) {
  run(load("sleep 1000"));
  machine_->remove(lease_);
  ASSERT_TRUE(wait<Removed>());
  EXPECT_TRUE(machine_->recover()->empty());
}

TEST(ExitStatus, IsSpelledAsTheProtocolSays) {
  sandbox::State state;
  const auto reason = [&] { return exit_status(state).reason; };
  EXPECT_EQ(reason(), "completed");
  state.exit_code = 1;
  EXPECT_EQ(reason(), "failed");
  state.exit_code = 137;
  EXPECT_EQ(reason(), "killed");
  state.disk_full = true;
  EXPECT_EQ(reason(), "disk_full");
  state.reason = sandbox::EndReason::out_of_memory;
  EXPECT_EQ(reason(), "oom");
}

}  // namespace
}  // namespace mizan::provider
