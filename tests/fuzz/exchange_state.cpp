// Snapshots: refused, or exactly what encode writes.
#include "fuzz/exchange_world.hpp"
#include "fuzz/fuzz.hpp"

using namespace mizan;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView input(data, size);
  const auto core = exchange::Exchange::restore(input, fuzz::known_rules());
  if (core) ensure(std::ranges::equal(core->encode(), input), "one state, one spelling");
  return 0;
}
