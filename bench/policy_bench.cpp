// How long a verdict takes, uncached: over the case files of tests/policy.
// SPDX-License-Identifier: Apache-2.0
#include "policy/answer.hpp"
#include "policy/case_files.hpp"
#include "policy/case_json.hpp"

#include <benchmark/benchmark.h>

namespace {

using namespace mizan;

struct World {
  policy::RuleSet rules = test::load_rules(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  std::vector<policy::Case> leases;
  std::vector<policy::Case> moves;

  World() {
    for (const test::FileCase& one : test::read_cases()) {
      auto subject = policy::read_case(rules, one.facts, "case");
      if (!subject) continue;
      (one.id.starts_with("lease.") ? leases : moves).push_back(*std::move(subject));
    }
  }
};

const World& world() {
  static const World one;
  return one;
}

void judge_all(benchmark::State& state, const std::vector<policy::Case>& cases, bool pending) {
  const policy::RuleSet& rules = world().rules;
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(policy::judge(rules, cases[i], {pending}));
    i = i + 1 == cases.size() ? 0 : i + 1;
  }
}

void verdict_of_a_lease(benchmark::State& state) {
  judge_all(state, world().leases, false);
}
void verdict_of_a_lease_pending_on(benchmark::State& state) {
  judge_all(state, world().leases, true);
}
void verdict_of_an_export(benchmark::State& state) {
  judge_all(state, world().moves, false);
}

// The verdict with its findings explained, as JSON.
void answer_of_a_lease(benchmark::State& state) {
  const World& all = world();
  size_t i = 0;
  for (auto _ : state) {
    const policy::Case& subject = all.leases[i];
    benchmark::DoNotOptimize(
        policy::answer_json(all.rules, subject, policy::judge(all.rules, subject)));
    i = i + 1 == all.leases.size() ? 0 : i + 1;
  }
}

void load_the_rules(benchmark::State& state) {
  const auto files = test::read_folder(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  for (auto _ : state) benchmark::DoNotOptimize(policy::RuleSet::load(files));
}

BENCHMARK(verdict_of_a_lease)->Unit(benchmark::kMicrosecond);
BENCHMARK(verdict_of_a_lease_pending_on)->Unit(benchmark::kMicrosecond);
BENCHMARK(verdict_of_an_export)->Unit(benchmark::kMicrosecond);
BENCHMARK(answer_of_a_lease)->Unit(benchmark::kMicrosecond);
BENCHMARK(load_the_rules)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
