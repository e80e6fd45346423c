// The journal on this machine's disk: durable records a second beside raw write + fdatasync of the
// same bytes in the same run, and records a second at recovery. MIZAN_BENCH_FOLDER says where.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/hash.hpp"
#include "journal/rocksdb_journal.hpp"

#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace {

using namespace mizan;
using Clock = std::chrono::steady_clock;

constexpr size_t kRecordBytes = 256;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string folder() {
  const char* given = std::getenv("MIZAN_BENCH_FOLDER");
  return std::string(given != nullptr ? given : ".") + "/journal-bench-" + std::to_string(getpid());
}

std::unique_ptr<journal::Journal> open_or_exit(const std::string& path) {
  auto opened = journal::open_rocksdb({.path = path, .genesis = sha256("bench")});
  if (opened) return std::move(*opened);
  std::fprintf(stderr, "%s\n", opened.error().message.c_str());
  std::exit(1);
}

/// One group an iteration, and its bytes written raw right after it: what else the machine does
/// then strikes both alike.
void durable_groups(benchmark::State& state) {
  const auto records = static_cast<size_t>(state.range(0));
  const std::string path = folder();
  const auto journal = open_or_exit(path);
  const int raw = open((path + "/raw").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  const Bytes record(kRecordBytes, 'r');
  const std::vector<ByteView> group(records, record);
  const Bytes same(records * kRecordBytes, 'r');
  double journal_seconds = 0;
  double raw_seconds = 0;
  for (auto _ : state) {
    auto start = Clock::now();
    if (!journal->append_group(group)) state.SkipWithError("the journal failed");
    const double taken = seconds_since(start);
    state.SetIterationTime(taken);
    journal_seconds += taken;
    start = Clock::now();
    if (write(raw, same.data(), same.size()) < 0 || fdatasync(raw) != 0)
      state.SkipWithError("the raw file failed");
    raw_seconds += seconds_since(start);
  }
  close(raw);
  const double rows = static_cast<double>(state.iterations()) * static_cast<double>(records);
  state.counters["rows_per_s"] = rows / journal_seconds;
  state.counters["raw_rows_per_s"] = rows / raw_seconds;
  state.counters["times_raw"] = journal_seconds / raw_seconds;
  std::filesystem::remove_all(path);
}
BENCHMARK(durable_groups)->Arg(1)->Arg(64)->Arg(512)->Arg(4096)->UseManualTime();

/// A journal of so many records: opened (which checks the chain), then read once.
void recovery(benchmark::State& state) {
  const auto records = static_cast<size_t>(state.range(0));
  const std::string path = folder();
  {
    const auto journal = open_or_exit(path);
    const Bytes record(kRecordBytes, 'r');
    const std::vector<ByteView> group(512, record);
    while (journal->head().sequence < records)
      if (!journal->append_group(group)) state.SkipWithError("the journal failed");
  }
  double open_seconds = 0;
  double read_seconds = 0;
  for (auto _ : state) {
    auto start = Clock::now();
    const auto journal = open_or_exit(path);
    open_seconds += seconds_since(start);
    start = Clock::now();
    uint64_t bytes = 0;
    const auto read = journal->read(1, [&](uint64_t, ByteView record) -> Result<void> {
      bytes += record.size();
      return {};
    });
    benchmark::DoNotOptimize(bytes);
    if (!read) state.SkipWithError("the journal cannot be read");
    read_seconds += seconds_since(start);
  }
  const double rows = static_cast<double>(state.iterations()) * static_cast<double>(records);
  state.counters["open_rows_per_s"] = rows / open_seconds;
  state.counters["read_rows_per_s"] = rows / read_seconds;
  std::filesystem::remove_all(path);
}
BENCHMARK(recovery)->Arg(1'000'000)->Unit(benchmark::kMillisecond)->Iterations(3)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
