// What the exchange carries: open loop, a ladder of rates up to saturation, three scopes apart.
// SPDX-License-Identifier: Apache-2.0
#include "load/exchange_process.hpp"
#include "load/scopes.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <map>

namespace {

using mizan::bench::LoadOptions;

constexpr const char* kUsage = R"(load_bench --scope matching|core|journal|service|agents [options]
  --rates 1000,2000,...   the ladder, in requests a second
  --seconds 4             of a rung
  --asks 100000           live in the book
  --folder DIR            where journals and states are made; the current folder
  --mizan FILE            runs this binary as the exchange, not itself with the same code
  --commands N            of the journal that `journal` writes
  --snapshot-every N      commands, of core and journal
  --agents 10000
)";

std::vector<double> list_of(const std::string& text) {
  std::vector<double> out;
  for (size_t at = 0; at < text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    out.push_back(std::stod(text.substr(at, comma - at)));
    at = comma + 1;
  }
  return out;
}

bool take(LoadOptions& options, const std::string& name, const std::string& value) {
  if (name == "--scope") return options.scope = value, true;
  if (name == "--rates") return options.rates = list_of(value), true;
  if (name == "--seconds") return options.seconds = std::stod(value), true;
  if (name == "--asks") return options.asks = std::stoull(value), true;
  if (name == "--folder") return options.folder = value, true;
  if (name == "--mizan") return options.mizan = value, true;
  if (name == "--commands") return options.commands = std::stoull(value), true;
  if (name == "--snapshot-every") return options.snapshot_every = std::stoull(value), true;
  if (name == "--agents") return options.agents = std::stoull(value), true;
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace mizan::bench;
  setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc == 3 && std::string(argv[1]) == "exchange") return run_as_exchange(argv[2]);
  LoadOptions options;
  options.folder = ".";
  for (int i = 1; i < argc; i += 2)
    if (i + 1 == argc || !take(options, argv[i], argv[i + 1])) {
      fmt::print(stderr, "{}", kUsage);
      return 2;
    }
  const std::map<std::string, void (*)(const LoadOptions&)> scopes = {
      {"matching", matching_scope}, {"core", core_scope},     {"journal", journal_scope},
      {"service", service_scope},   {"agents", agents_scope},
  };
  const auto scope = scopes.find(options.scope);
  if (scope == scopes.end()) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  scope->second(options);
}
