// mizan-sim: worlds by their seeds, one after the other.
#include "simulation/world.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>

namespace {

using namespace mizan::simulation;

constexpr const char* kUsage =
    "usage: mizan-sim [--seed N | --seeds A..B] [--steps M] [--quiet] [--trace]\n"
    "  Runs simulated worlds. Exit code 1: something was not as it should be; 2: bad arguments.\n";

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

unsigned long long wide(uint64_t n) {
  return n;
}

struct Arguments {
  uint64_t first = 1;
  uint64_t last = 1;
  Options options;
  bool quiet = false;
};

std::optional<Arguments> read(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--quiet") {
      out.quiet = true;
      continue;
    }
    if (name == "--trace") {
      out.options.talks = true;
      continue;
    }
    if (i + 1 == argc) return std::nullopt;
    const std::string_view value = argv[++i];
    std::optional<uint64_t> read;
    if (name == "--seed" && (read = number(value))) {
      out.first = out.last = *read;
    } else if (name == "--steps" && (read = number(value))) {
      out.options.steps = *read;
    } else if (const size_t dots = value.find(".."); name == "--seeds" && dots != value.npos) {
      const auto first = number(value.substr(0, dots));
      const auto last = number(value.substr(dots + 2));
      if (!first || !last || *first > *last) return std::nullopt;
      out.first = *first;
      out.last = *last;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

/// Sums over worlds.
struct Sum {
  uint64_t worlds = 0;
  uint64_t failed = 0;
  Report all;
  void add(const Report& report) {
    ++worlds;
    if (!report.wrong.empty()) ++failed;
    all.steps += report.steps;
    all.virtual_ms += report.virtual_ms;
    all.commands += report.commands;
    all.leases += report.leases;
    for (size_t i = 0; i < kFaults; ++i) all.struck[i] += report.struck[i];
    for (const auto& [reason, count] : report.endings) all.endings[reason] += count;
  }
  void print() const {
    std::printf("%llu worlds, %llu failed; %llu events, %.1f hours, %llu commands, %llu leases\n",
                wide(worlds), wide(failed), wide(all.steps),
                static_cast<double>(all.virtual_ms) / 3.6e6, wide(all.commands), wide(all.leases));
    std::printf("faults that struck:\n");
    for (size_t i = 0; i < kFaults; ++i)
      std::printf("  %-16s %llu\n", std::string(kFaultNames[i]).c_str(), wide(all.struck[i]));
    std::printf("leases by the reason of their end:\n");
    for (const auto& [reason, count] : all.endings)
      std::printf("  %-24s %llu\n", reason.c_str(), wide(count));
  }
};

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = read(argc, argv);
  if (!arguments) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  Sum sum;
  for (uint64_t seed = arguments->first; seed <= arguments->last; ++seed) {
    Options options = arguments->options;
    options.seed = seed;
    const Report report = run_world(options);
    sum.add(report);
    if (arguments->first == arguments->last) std::printf("hash: %s\n", report.hash.c_str());
    if (report.wrong.empty()) continue;
    std::printf("seed %llu: not as it should be\n", wide(seed));
    for (const std::string& what : report.wrong) std::printf("  %s\n", what.c_str());
    std::printf("run it again: mizan-sim --seed %llu --steps %llu (--trace tells all)\n",
                wide(seed), wide(options.steps));
    std::fflush(stdout);
  }
  if (!arguments->quiet) sum.print();
  return sum.failed == 0 ? 0 : 1;
}
