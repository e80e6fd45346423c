// mizan-sim: worlds by their seeds, one after the other.
#include "simulation/world.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <malloc.h>
#include <optional>
#include <unistd.h>

namespace {

using namespace mizan::simulation;

constexpr const char* kUsage =
    "usage: mizan-sim [--seed N | --seeds A..B | --regressions FOLDER] [--steps M] [--leases L]\n"
    "                 [--chain] [--quiet] [--trace] [--record FILE]\n"
    "  Runs simulated worlds; with --leases, until so many leases were simulated. The commands of\n"
    "  their journals go into FILE, for mizan-replay.\n"
    "  Exit code 1: something was not as it should be, or a kind of fault never struck in a\n"
    "  thousand worlds and more; 2: bad arguments.\n";

/// How to run the present world again; printed also when a broken invariant stops the process, or
/// when it does not come to its end.
std::string run_it_again;
std::string program;
constexpr unsigned kLongestWorldSeconds = 600;

void tell_the_world(int signal) {
  const std::string_view why =
      signal == SIGALRM ? "a world that does not end\n" : "the process was stopped\n";
  [[maybe_unused]] ssize_t written = ::write(STDOUT_FILENO, why.data(), why.size());
  written = ::write(STDOUT_FILENO, run_it_again.data(), run_it_again.size());
  ::_exit(1);
}

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
  uint64_t leases = ~uint64_t{0};
  std::string regressions;
  std::string record;
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
    if (name == "--chain") {
      out.options.chain = true;
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
    } else if (name == "--leases" && (read = number(value))) {
      out.leases = *read;
    } else if (name == "--regressions") {
      out.regressions = value;
    } else if (name == "--record") {
      out.record = value;
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
  bool wants_hashes = false;
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

/// What each file of the folder says in its last line: "seed N steps M", and "chain" behind it for
/// a world that settles on one. Nothing if there is no file, or one that says something else.
std::optional<std::vector<Options>> read_regressions(const std::string& folder) {
  std::vector<Options> out;
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::ifstream in(file);
    std::string last;
    for (std::string line; std::getline(in, line);) last = line;
    unsigned long long seed = 0;
    unsigned long long steps = 0;
    int end = -1;
    const bool reads =
        std::sscanf(last.c_str(), "seed %llu steps %llu%n", &seed, &steps, &end) == 2;
    const std::string rest = reads ? last.substr(static_cast<size_t>(end)) : "";
    if (!reads || (!rest.empty() && rest != " chain")) {
      std::fprintf(stderr, "%s: its last line is not \"seed N steps M\" or \"... chain\"\n",
                   file.c_str());
      return std::nullopt;
    }
    out.push_back({.seed = seed, .steps = steps, .chain = rest == " chain"});
  }
  if (out.empty()) {
    std::fprintf(stderr, "there is no regression in %s\n", folder.c_str());
    return std::nullopt;
  }
  return out;
}

/// Runs one world; says what is wrong with it, and how to run it again.
void run_one(const Options& options, Sum& sum) {
  run_it_again = "run it again: " + program + (options.chain ? " --chain" : "") + " --seed " +
                 std::to_string(options.seed) + " --steps " + std::to_string(options.steps) +
                 " (--trace tells all)\n";
  ::alarm(kLongestWorldSeconds);
  const Report report = run_world(options);
  ::alarm(0);
  sum.add(report);
  if (sum.wants_hashes) std::printf("hash: %s\n", report.hash.c_str());
  if (report.wrong.empty()) return;
  std::printf("seed %llu: not as it should be\n", wide(options.seed));
  for (const std::string& what : report.wrong) std::printf("  %s\n", what.c_str());
  std::fputs(run_it_again.c_str(), stdout);
  std::fflush(stdout);
}

/// A fault that never strikes tests nothing: over many worlds each kind does, or its switch is
/// broken.
bool all_struck(const Sum& sum, bool chain) {
  constexpr uint64_t kMany = 1'000;
  bool all = true;
  for (size_t i = 0; i < (chain ? kFaults : kFirstOfChain); ++i) {
    if (sum.worlds < kMany || sum.all.struck[i] != 0) continue;
    std::printf("%s never struck in %llu worlds\n", std::string(kFaultNames[i]).c_str(),
                wide(sum.worlds));
    all = false;
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = read(argc, argv);
  if (!arguments) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  program = std::filesystem::path(argv[0]).filename().string();
  for (const int signal : {SIGABRT, SIGSEGV, SIGALRM, SIGTERM}) std::signal(signal, tell_the_world);
  // A world takes and gives back a few megabytes: they are kept for the next one.
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  Sum sum;
  Options options = arguments->options;
  std::ofstream record;
  if (!arguments->record.empty()) {
    record.open(arguments->record, std::ios::binary);
    if (!record) {
      std::fprintf(stderr, "cannot write %s\n", arguments->record.c_str());
      return 2;
    }
    // Each command behind its size; of a new world the first is numbered 1.
    options.on_record = [&record](mizan::ByteView command) {
      const auto size = static_cast<uint32_t>(command.size());
      const std::array head = {static_cast<char>(size), static_cast<char>(size >> 8),
                               static_cast<char>(size >> 16), static_cast<char>(size >> 24)};
      record.write(head.data(), head.size());
      record.write(reinterpret_cast<const char*>(command.data()), size);
    };
  }
  if (!arguments->regressions.empty()) {
    const auto regressions = read_regressions(arguments->regressions);
    if (!regressions) return 2;
    for (const Options& each : *regressions) run_one(each, sum);
  } else {
    sum.wants_hashes = arguments->first == arguments->last;
    const uint64_t count = arguments->last - arguments->first;
    for (uint64_t i = 0; i <= count && sum.all.leases < arguments->leases; ++i) {
      options.seed = arguments->first + i;
      run_one(options, sum);
    }
  }
  if (!arguments->quiet) sum.print();
  if (record.is_open() && !record.flush()) {
    std::fprintf(stderr, "cannot write %s\n", arguments->record.c_str());
    return 2;
  }
  const bool struck = all_struck(sum, arguments->options.chain);
  return sum.failed == 0 && struck ? 0 : 1;
}
