// Bytes, and the fixed-size values that name things: Hash32, Address, U256.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mizan {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Appends `more`, which is no part of `out`. (g++ 12 warns falsely where insert() is inlined.)
void append(Bytes& out, ByteView more);

/// N bytes with a name of their own. `Tag` keeps a Hash32 from being taken for a U256.
template <size_t N, class Tag>
struct FixedBytes {
  std::array<uint8_t, N> bytes{};

  friend bool operator==(const FixedBytes&, const FixedBytes&) = default;
  friend auto operator<=>(const FixedBytes&, const FixedBytes&) = default;
  bool is_zero() const { return *this == FixedBytes{}; }
  ByteView view() const { return bytes; }
};

/// A 32-byte digest: a lease's, an order's or a rule set's id.
using Hash32 = FixedBytes<32, struct HashTag>;
/// A party's pseudonym: the last 20 bytes of the Keccak-256 of its public key.
using Address = FixedBytes<20, struct AddressTag>;
/// A 256-bit number, big-endian; only carried and compared, never reckoned with.
using U256 = FixedBytes<32, struct U256Tag>;
/// r, s, v of a recoverable secp256k1 signature; v is 27 or 28.
using Signature = FixedBytes<65, struct SignatureTag>;

using LeaseId = Hash32;  ///< the EIP-712 digest of Terms
using OrderId = Hash32;  ///< the EIP-712 digest of Ask or Bid

/// Lower case, without "0x".
std::string hex(ByteView bytes);
/// Lower case, with "0x", as every id is spelled in JSON and on the terminal.
std::string hex0x(ByteView bytes);
/// With or without "0x", either case; an odd length or another character is an error.
Result<Bytes> parse_hex(std::string_view text);

template <class Fixed>
Result<Fixed> parse_fixed(std::string_view text) {
  MIZAN_TRY(bytes, parse_hex(text));
  Fixed value;
  if (bytes.size() != value.bytes.size())
    return fail(ErrorCode::invalid_argument,
                "expected " + std::to_string(value.bytes.size()) + " bytes in hex, got " +
                    std::to_string(bytes.size()));
  std::copy(bytes.begin(), bytes.end(), value.bytes.begin());
  return value;
}

}  // namespace mizan
