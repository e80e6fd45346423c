#include "crypto/payees_hash.hpp"

#include "crypto/hash.hpp"

#include <algorithm>

namespace mizan {
namespace {

constexpr size_t kWord = 32;

}  // namespace

Hash32 payees_hash(const std::vector<Payee>& payees) {
  if (payees.empty()) return {};
  Bytes words(payees.size() * 2 * kWord);
  auto place = words.begin();
  for (const Payee& payee : payees) {
    std::copy(payee.to.bytes.begin(), payee.to.bytes.end(), place + 12);
    place += 2 * kWord;
    *(place - 2) = static_cast<uint8_t>(payee.bps >> 8);
    *(place - 1) = static_cast<uint8_t>(payee.bps & 0xff);
  }
  return keccak256(words);
}

}  // namespace mizan
