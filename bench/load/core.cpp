// The core with its journal: verified commands through the sequencer, durable before answered.
// SPDX-License-Identifier: Apache-2.0
#include "load/exchange_process.hpp"
#include "load/ladder.hpp"
#include "load/parts.hpp"
#include "load/scopes.hpp"
#include "load/workload.hpp"

#include <fmt/core.h>

#include <filesystem>
#include <sys/resource.h>

namespace mizan::bench {
namespace {

using service::Applied;

Rung run_rung(Parts& parts, Workload& workload, double rate, double seconds) {
  constexpr auto kNap = std::chrono::microseconds{200};
  OpenLoop loop(rate, seconds);
  std::atomic<size_t> left = loop.count();
  Time::time_point last{};
  loop.begin();
  for (size_t i = 0; i < loop.count();) {
    // Due ones go together: the sender sleeps between, so that it leaves the cores to the exchange.
    const Time::time_point now = Time::now();
    if (loop.intended(i) > now) {
      std::this_thread::sleep_until(std::max(loop.intended(i), now + kNap));
      continue;
    }
    parts.sequencer().submit(workload.next(), std::nullopt, [&, i](const Result<Applied>& applied) {
      last = Time::now();
      loop.answered(i, last);
      if (applied) workload.learn(applied->outcome, parts.core());
      --left;
    });
    ++i;
  }
  while (left != 0) std::this_thread::sleep_for(kNap);
  return loop.finish(last);
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

uint64_t now_s() {
  return system_clock().now().seconds();
}

}  // namespace

void core_scope(const LoadOptions& options) {
  const auto genesis = bench_genesis(numbered<Address>(1), numbered<Address>(2));
  const std::string folder = options.folder + "/load_bench.journal";
  std::filesystem::remove_all(folder);
  {
    Parts parts(folder, genesis.exchange_id,
                {.max_waiting = 1'000'000, .snapshot_every = options.snapshot_every});
    Workload workload(genesis.exchange_id, genesis.meter, Mix{}, options.asks, now_s());
    parts.apply({genesis});
    parts.apply(workload.opening());
    parts.run();
    print_head("core with journal: " + std::to_string(options.asks) + " live asks, the mix of " +
               "bench/load/workload.hpp");
    std::vector<double> rates = options.rates;
    if (rates.empty()) rates = {5e3, 10e3, 20e3, 30e3, 40e3, 50e3, 60e3, 80e3, 100e3, 120e3, 150e3};
    for (const double rate : rates) {
      const double before = cpu_seconds();
      const uint64_t groups = parts.sequencer().groups();
      const Rung rung = run_rung(parts, workload, rate, options.seconds);
      print(rung);
      fmt::print("{:>12} {:.1f} us of CPU a command, {:.0f} commands a group, {} refused\n", "",
                 (cpu_seconds() - before) * 1e6 / static_cast<double>(rung.count),
                 static_cast<double>(rung.count) /
                     static_cast<double>(parts.sequencer().groups() - groups),
                 workload.refused());
      if (!rung.sustained()) break;
    }
  }
  std::filesystem::remove_all(folder);
}

void journal_scope(const LoadOptions& options) {
  ExchangeProcess first(options, SecretKey::generate().address());
  first.stop();
  const std::string state = first.state_folder();
  const auto keys = must(service::open_keys(state, {}));
  {
    Parts parts(state + "/journal", keys.exchange_id(), {.snapshot_every = options.snapshot_every});
    const exchange::Genesis& genesis = *parts.core().config();
    Workload workload(keys.exchange_id(), genesis.meter, Mix::of_long_leases(), 10'000, now_s());
    parts.apply(workload.opening());
    const auto start = Time::now();
    while (parts.core().last_sequence() < options.commands) {
      for (size_t i = 0; i < 4096; ++i)
        parts.sequencer().submit(workload.next(), std::nullopt,
                                 [&](const Result<Applied>& applied) {
                                   if (applied) workload.learn(applied->outcome, parts.core());
                                 });
      parts.sequencer().step();
    }
    const std::chrono::duration<double> took = Time::now() - start;
    fmt::print("{} commands written in {:.1f} s, {} refused\n", parts.core().last_sequence(),
               took.count(), workload.refused());
  }
  const auto start = Time::now();
  ExchangeProcess second(options, first.operator_address());
  const std::chrono::duration<double> took = Time::now() - start;
  fmt::print("the exchange was ready {:.2f} s after its start, with {:.2f} s of CPU and {} MB\n",
             took.count(), second.cpu_seconds(), second.resident_bytes() >> 20);
}

}  // namespace mizan::bench
