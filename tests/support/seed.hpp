// The seed of a random test: printed, and taken from MIZAN_SEED to run it again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/number.hpp"

#include <gtest/gtest.h>

#include <iostream>
#include <random>
#include <string>

namespace mizan::test {

/// MIZAN_SEED if it is set, a fresh one otherwise; printed, and shown with every failure of the
/// test through `SCOPED_TRACE(seed_note(seed))`.
inline uint64_t random_seed() {
  const auto fixed = given_number("MIZAN_SEED");
  const uint64_t seed = fixed ? *fixed : std::random_device{}();
  std::cout << "MIZAN_SEED=" << seed << '\n';
  return seed;
}
inline std::string seed_note(uint64_t seed) {
  return "run again with MIZAN_SEED=" + std::to_string(seed);
}

}  // namespace mizan::test
