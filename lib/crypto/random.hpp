// Randomness from the operating system, and what handles secrets with care.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

namespace mizan {

/// Fills `out` with bytes fit for keys; stops the process if the system has none to give.
void fill_random(std::span<uint8_t> out);
Bytes random_bytes(size_t count);
uint64_t random_u64();
/// A random Hash32, U256, ...
template <class Fixed>
Fixed random_fixed() {
  Fixed value;
  fill_random(value.bytes);
  return value;
}

/// Overwrites a secret in a way that the compiler does not remove.
void wipe(std::span<uint8_t> secret);
void wipe(std::string& secret);

/// Compares without telling by its time where the first difference is. Lengths are not secret.
bool constant_time_equal(ByteView a, ByteView b);

}  // namespace mizan
