#include "support/raw_transaction.hpp"

#include "crypto/hash.hpp"
#include "settlement/rlp.hpp"

#include <algorithm>

namespace mizan::test {
namespace {

tl::unexpected<Error> bad() {
  return fail(ErrorCode::invalid_argument, "the bytes are no transaction of EIP-1559");
}

struct Item {
  bool list = false;
  ByteView payload;
};

/// Takes one item from the front of `left`.
Result<Item> take(ByteView& left) {
  if (left.empty()) return bad();
  const uint8_t first = left[0];
  if (first < 0x80) {
    const Item item{false, left.first(1)};
    left = left.subspan(1);
    return item;
  }
  const bool list = first >= 0xc0;
  size_t size = first - (list ? 0xc0U : 0x80U);
  left = left.subspan(1);
  if (size > 55) {
    const size_t digits = size - 55;
    if (digits > 4 || left.size() < digits) return bad();
    size = 0;
    for (const uint8_t byte : left.first(digits)) size = size << 8 | byte;
    left = left.subspan(digits);
  }
  if (left.size() < size) return bad();
  const Item item{list, left.first(size)};
  left = left.subspan(size);
  return item;
}

template <class T>
Result<T> take_number(ByteView& left) {
  MIZAN_TRY(item, take(left));
  if (item.list || item.payload.size() > sizeof(T)) return bad();
  if (!item.payload.empty() && item.payload[0] == 0) return bad();
  T number = 0;
  for (const uint8_t byte : item.payload) number = static_cast<T>(number << 8 | byte);
  return number;
}

/// Without the zeros before it, into its 32 bytes of a signature.
Result<void> take_word(ByteView& left, std::span<uint8_t, 32> out) {
  MIZAN_TRY(item, take(left));
  if (item.list || item.payload.size() > 32) return bad();
  std::copy(item.payload.begin(), item.payload.end(),
            out.end() - static_cast<ptrdiff_t>(item.payload.size()));
  return {};
}

}  // namespace

Result<RawTransaction> read_raw(ByteView raw) {
  if (raw.size() < 2 || raw[0] != 2) return bad();
  ByteView rest = raw.subspan(1);
  MIZAN_TRY(list, take(rest));
  if (!list.list || !rest.empty()) return bad();
  RawTransaction out;
  settlement::Transaction& to = out.transaction;
  ByteView left = list.payload;
  MIZAN_TRY(chain_id, take_number<uint64_t>(left));
  MIZAN_TRY(nonce, take_number<uint64_t>(left));
  MIZAN_TRY(tip, take_number<u128>(left));
  MIZAN_TRY(most, take_number<u128>(left));
  MIZAN_TRY(gas, take_number<uint64_t>(left));
  MIZAN_TRY(contract, take(left));
  MIZAN_TRY(value, take_number<u128>(left));
  MIZAN_TRY(data, take(left));
  MIZAN_TRY(access, take(left));
  to = {chain_id, nonce, {most, tip}, gas, {{}, value, {data.payload.begin(), data.payload.end()}}};
  if (!access.list || !access.payload.empty() || data.list || contract.list) return bad();
  if (!contract.payload.empty()) {
    if (contract.payload.size() != 20) return bad();
    to.call.to.emplace();
    std::copy(contract.payload.begin(), contract.payload.end(), to.call.to->bytes.begin());
  }
  Bytes covered{2};
  append(covered, settlement::rlp_list(list.payload.first(list.payload.size() - left.size())));
  Signature signature;
  MIZAN_TRY(odd, take_number<uint8_t>(left));
  const std::span<uint8_t, 65> bytes = signature.bytes;
  MIZAN_CHECK(take_word(left, bytes.subspan<0, 32>()));
  MIZAN_CHECK(take_word(left, bytes.subspan<32, 32>()));
  if (odd > 1 || !left.empty()) return bad();
  signature.bytes[64] = static_cast<uint8_t>(27 + odd);
  MIZAN_TRY(from, recover(keccak256(covered), signature));
  out.from = from;
  out.hash = keccak256(raw);
  return out;
}

}  // namespace mizan::test
