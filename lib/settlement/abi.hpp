// The contract ABI: arguments of calls written, and answers read.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/checked.hpp"
#include "base/fields.hpp"

#include <array>
#include <concepts>

namespace mizan::settlement {

/// The first four bytes of the Keccak-256 of "name(types)".
using Selector = std::array<uint8_t, 4>;
Selector selector(std::string_view signature);

/// The members of a tuple, or the arguments of a function, in their order.
///
///     AbiTuple().word(to).word(amount).tail(abi_bytes(data)).call(selector("f(address,uint256,bytes)"))
class AbiTuple {
 public:
  AbiTuple& word(const Address& address);
  AbiTuple& word(const Hash32& hash) { return raw(hash.view()); }
  AbiTuple& word(const U256& number) { return raw(number.view()); }
  AbiTuple& word(u128 number);
  template <std::unsigned_integral T>
  AbiTuple& word(T number) {
    return word(u128{number});
  }
  /// A static tuple: each field of the message is a word.
  template <HasFields T>
  AbiTuple& words(const T& message) {
    T::visit_fields(message, [this](const char*, const auto& field) { this->word(field); });
    return *this;
  }
  /// A member whose size varies, encoded by itself.
  AbiTuple& tail(Bytes encoded);

  Bytes encode() const;
  Bytes call(const Selector& function) const;

 private:
  AbiTuple& raw(ByteView word);
  struct Tail {
    size_t at;  ///< where in the head its offset stands
    Bytes bytes;
  };
  Bytes head_;
  std::vector<Tail> tails_;
};

Bytes abi_bytes(ByteView bytes);
/// An array of elements of fixed size, each encoded.
Bytes abi_static_array(const std::vector<Bytes>& elements);
/// An array of elements whose size varies, each encoded.
Bytes abi_array(const std::vector<Bytes>& elements);

/// Reads words from the front. After the first fault every read gives an empty value; `finish`
/// tells. Does not own the bytes.
class AbiReader {
 public:
  explicit AbiReader(ByteView bytes) : left_(bytes) {}
  Address address();
  Hash32 hash();
  U256 number256();
  u128 number();  ///< above 128 bits is a fault: no token that Mizan takes has such amounts
  uint64_t number64();
  bool flag();
  Selector selector();  ///< bytes4, in the first bytes of a word
  /// invalid_argument if a word was missing, too large or padded with anything but zeros, or if
  /// bytes are left.
  Result<void> finish() const;

 private:
  ByteView next();
  ByteView left_;
  bool failed_ = false;
};

}  // namespace mizan::settlement
