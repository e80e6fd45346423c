// mizan-replay: the commands that mizan-sim --record kept, applied again; prints the states'
// hashes. Two builds that print the same have gone through the same states.
#include "exchange/explain.hpp"
#include "simulation/rules.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace {

using namespace mizan;

/// How many commands between two hashes; each is also a state that is encoded and restored.
constexpr uint64_t kEvery = 100;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

void print(const exchange::Exchange& core) {
  const Hash32 hash = core.state_hash();
  std::printf("%llu %s\n", static_cast<unsigned long long>(core.last_sequence()),
              hex0x(hash.view()).c_str());
  const auto restored = exchange::Exchange::restore(core.encode(), core.known_rules());
  if (!restored || restored->state_hash() != hash) give_up("a snapshot gives another state");
}

/// A world's end: its verdicts are made again, too.
void finish(const exchange::Exchange& core) {
  if (core.last_sequence() == 0) return;
  print(core);
  for (const exchange::Lease* lease : core.all_leases()) {
    const auto again = exchange::replay(*lease, core.known_rules());
    if (!again || !again->same) give_up("a verdict cannot be made again");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) give_up("usage: mizan-replay FILE");
  std::ifstream in(argv[1], std::ios::binary);
  const Bytes all{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const exchange::RuleSets rules = simulation::simulated_rules();
  exchange::Exchange core(rules);
  uint64_t commands = 0;
  ByteView rest(all);
  while (!rest.empty()) {
    if (rest.size() < 4) give_up("the file is cut");
    const size_t size =
        rest[0] | size_t{rest[1]} << 8 | size_t{rest[2]} << 16 | size_t{rest[3]} << 24;
    if (rest.size() - 4 < size) give_up("the file is cut");
    const auto command = exchange::decode_sequenced(rest.subspan(4, size));
    if (!command) give_up(command.error().message);
    rest = rest.subspan(4 + size);
    if (command->sequence == 1) {
      finish(core);
      core = exchange::Exchange(rules);
    }
    core.apply(*command);
    ++commands;
    if (core.last_sequence() % kEvery == 0) print(core);
  }
  finish(core);
  if (commands == 0) give_up(std::string(argv[1]) + " holds no command");
  std::printf("%llu commands\n", static_cast<unsigned long long>(commands));
  return 0;
}
