#include "settlement/rlp.hpp"

namespace mizan::settlement {
namespace {

Bytes big_endian(u128 number) {
  Bytes out;
  for (int shift = 120; shift >= 0; shift -= 8) {
    const auto byte = static_cast<uint8_t>(number >> shift);
    if (byte != 0 || !out.empty()) out.push_back(byte);
  }
  return out;
}

/// `offset` is 0x80 for strings and 0xc0 for lists.
Bytes with_length(uint8_t offset, ByteView payload) {
  Bytes out;
  if (payload.size() < 56) {
    out.push_back(static_cast<uint8_t>(offset + payload.size()));
  } else {
    const Bytes length = big_endian(payload.size());
    out.push_back(static_cast<uint8_t>(offset + 55 + length.size()));
    append(out, length);
  }
  append(out, payload);
  return out;
}

}  // namespace

Bytes rlp_bytes(ByteView bytes) {
  if (bytes.size() == 1 && bytes[0] < 0x80) return {bytes[0]};
  return with_length(0x80, bytes);
}

Bytes rlp_number(u128 number) {
  return rlp_bytes(big_endian(number));
}

Bytes rlp_list(ByteView items) {
  return with_length(0xc0, items);
}

}  // namespace mizan::settlement
