// Keccak-256 and SHA-256.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <memory>

namespace mizan {

/// Ethereum's Keccak-256 (not SHA3-256, which pads differently).
Hash32 keccak256(ByteView bytes);
inline Hash32 keccak256(std::string_view text) {
  return keccak256(as_bytes(text));
}

Hash32 sha256(ByteView bytes);
inline Hash32 sha256(std::string_view text) {
  return sha256(as_bytes(text));
}

/// SHA-256 of a stream. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(ByteView bytes);
  /// The digest of all that came before; the object starts anew.
  Hash32 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mizan
