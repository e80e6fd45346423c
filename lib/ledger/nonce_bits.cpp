#include "ledger/nonce_bits.hpp"

#include "base/ensure.hpp"

#include <algorithm>
#include <limits>

namespace mizan::ledger {
namespace {

constexpr uint64_t kBitsAWord = 256;

std::array<uint64_t, 4> limbs(const U256& mask) {
  std::array<uint64_t, 4> out{};
  for (size_t byte = 0; byte < 32; ++byte) {  // big-endian: byte 31 holds bits 0 to 7
    const size_t from_low = 31 - byte;
    out[from_low / 8] |= uint64_t{mask.bytes[byte]} << (8 * (from_low % 8));
  }
  return out;
}

/// Calls visit(word, limb, bits) for every limb that the run touches.
template <class Visit>
void for_each_limb(uint64_t first, uint32_t count, Visit visit) {
  ensure(count == 0 || first <= std::numeric_limits<uint64_t>::max() - (count - 1),
         "a run of nonces ends within 64 bits");
  while (count > 0) {
    const uint32_t bit = static_cast<uint32_t>(first % 64);
    const uint32_t here = std::min<uint32_t>(count, 64 - bit);
    const uint64_t ones = here == 64 ? ~uint64_t{0} : (uint64_t{1} << here) - 1;
    visit(first / kBitsAWord, (first % kBitsAWord) / 64, ones << bit);
    first += here;
    count -= here;
  }
}

}  // namespace

bool NonceBits::any(uint64_t first, uint32_t count) const {
  bool found = false;
  for_each_limb(first, count, [&](uint64_t word, uint64_t limb, uint64_t bits) {
    const auto it = words_.find(word);
    if (it != words_.end() && (it->second[limb] & bits) != 0) found = true;
  });
  return found;
}

void NonceBits::set(uint64_t first, uint32_t count) {
  for_each_limb(first, count,
                [&](uint64_t word, uint64_t limb, uint64_t bits) { words_[word][limb] |= bits; });
}

void NonceBits::set(uint64_t word, const U256& mask) {
  const auto bits = limbs(mask);
  Word& mine = words_[word];
  for (size_t i = 0; i < bits.size(); ++i) mine[i] |= bits[i];
}

size_t NonceBits::words_added_by(uint64_t first, uint32_t count) const {
  if (count == 0) return 0;
  size_t added = 0;
  const uint64_t last_word = (first + (count - 1)) / kBitsAWord;
  for (uint64_t word = first / kBitsAWord; word <= last_word; ++word)
    if (!words_.contains(word)) ++added;
  return added;
}

bool overlaps(uint64_t word, const U256& mask, uint64_t first, uint32_t count) {
  const auto bits = limbs(mask);
  bool found = false;
  for_each_limb(first, count, [&](uint64_t at, uint64_t limb, uint64_t run) {
    if (at == word && (bits[limb] & run) != 0) found = true;
  });
  return found;
}

}  // namespace mizan::ledger
