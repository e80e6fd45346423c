// Digests of a simulated world, in place of lib/crypto/hash.cpp: Keccak-256 alone would be a fifth
// of its cost. No two texts of a world have the same digest, which is all that it needs; nobody in
// it looks for such two. Linked into mizan-sim alone, as simulated_keys.cpp is.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/hash.hpp"

#include <bit>
#include <cstring>
#include <utility>

namespace mizan {
namespace {

uint64_t word(const uint8_t* bytes, size_t count) {
  uint64_t out = 0;
  std::memcpy(&out, bytes, count);
  return out;
}

/// Each word goes into one of four lanes; at the end every lane has a part in every other.
Hash32 digest(ByteView bytes, uint64_t kind) {
  static_assert(std::endian::native == std::endian::little);
  constexpr uint64_t kOdd = 0x9fb21c651e98df25;
  std::array<uint64_t, 4> lanes = {kind, 0x243f6a8885a308d3, 0x13198a2e03707344,
                                   bytes.size() * kOdd};
  const auto take = [&lanes](uint64_t& lane, uint64_t value) {
    lane = std::rotl((lane ^ value) * kOdd, 29) + lanes[0];
  };
  size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) take(lanes[at / 8 % 4], word(bytes.data() + at, 8));
  take(lanes[at / 8 % 4], word(bytes.data() + at, bytes.size() - at));
  for (size_t round = 0; round < 16; ++round) {
    uint64_t& lane = lanes[round % 4];
    const uint64_t mixed = (lane ^ lane >> 31) * kOdd;
    lane = mixed ^ mixed >> 29 ^ std::rotl(lanes[(round + 1) % 4], 17);
  }
  Hash32 out;
  std::memcpy(out.bytes.data(), lanes.data(), sizeof lanes);
  return out;
}

constexpr uint64_t kKeccak = 1;
constexpr uint64_t kSha = 2;

}  // namespace

Hash32 keccak256(ByteView bytes) {
  return digest(bytes, kKeccak);
}

Hash32 sha256(ByteView bytes) {
  return digest(bytes, kSha);
}

struct Sha256::State {
  Bytes bytes;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView bytes) {
  state_->bytes.insert(state_->bytes.end(), bytes.begin(), bytes.end());
}

Hash32 Sha256::finish() {
  return sha256(std::exchange(state_->bytes, {}));
}

}  // namespace mizan
