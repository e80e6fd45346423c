#include "crypto/secp256k1_context.hpp"

#include "base/ensure.hpp"
#include "crypto/random.hpp"

#include <array>

namespace mizan {

const secp256k1_context* curve_context() {
  static const secp256k1_context* const made = [] {
    secp256k1_context* fresh = secp256k1_context_create(
        SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);  // NOLINT(misc-redundant-expression)
    std::array<uint8_t, 32> seed{};
    fill_random(seed);
    ensure(secp256k1_context_randomize(fresh, seed.data()) == 1, "secp256k1 takes a seed");
    wipe(seed);
    return fresh;
  }();
  return made;
}

}  // namespace mizan
