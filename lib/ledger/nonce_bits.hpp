// The bid nonces that an account has spent: one bit each, kept in words of 256.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/fields.hpp"

#include <array>
#include <cstdint>
#include <map>

namespace mizan::ledger {

/// A set of uint64 nonces, sparse by word: nonce n is bit n % 256 (from the least significant) of
/// word n / 256. Bits are set and never cleared.
class NonceBits {
 public:
  /// Whether any of the `count` nonces from `first` is set. The run ends at 2^64 - 1 at most.
  bool any(uint64_t first, uint32_t count) const;
  void set(uint64_t first, uint32_t count);
  void set(uint64_t word, const U256& mask);

  /// How many words exist, and how many more the run would make.
  size_t words() const { return words_.size(); }
  size_t words_added_by(uint64_t first, uint32_t count) const;
  bool has_word(uint64_t word) const { return words_.contains(word); }

  friend bool operator==(const NonceBits&, const NonceBits&) = default;
  MIZAN_FIELDS(words_)

 private:
  using Word = std::array<uint64_t, 4>;
  std::map<uint64_t, Word> words_;
};

/// Whether `mask` holds any nonce of the run, taken as word `word`.
bool overlaps(uint64_t word, const U256& mask, uint64_t first, uint32_t count);

}  // namespace mizan::ledger
