// EIP-712's encodeData and hashStruct for any struct that names its fields.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/checked.hpp"
#include "base/fields.hpp"
#include "crypto/hash.hpp"

#include <array>
#include <concepts>
#include <string>
#include <vector>

namespace mizan::eip712 {

/// Lays a message's fields into 32-byte words, as EIP-712 says: numbers big-endian and padded with
/// their sign, addresses padded on the left, strings, arrays and structs as their hashes.
class Encoder {
 public:
  explicit Encoder(const Hash32& type_hash) {
    words_.reserve(kMostWords * 32);
    word(type_hash.view());
  }

  template <class Field>
  void operator()(const char*, const Field& field) {
    value(field);
  }
  Hash32 finish() const { return keccak256(words_); }

  void value(const Address& address) {
    word(std::array<uint8_t, 12>{});
    word(address.view());
  }
  void value(const Hash32& hash) { word(hash.view()); }
  void value(const U256& number) { word(number.view()); }
  void value(const std::string& text) { word(keccak256(text).view()); }
  void value(bool flag) { number(flag ? 1 : 0, 0); }
  void value(u128 amount) { number(amount, 0); }
  template <std::integral T>
  void value(T field) {
    // Sign extension to 256 bits; for unsigned types the upper words stay zero.
    const bool negative = std::signed_integral<T> && field < 0;
    number(static_cast<u128>(field), negative ? 0xff : 0);
  }
  template <HasFields T>
  void value(const T& message) {
    word(hash_struct(message).view());
  }
  template <class T>
  void value(const std::vector<T>& items) {
    Encoder array;
    for (const T& item : items) array.value(item);
    word(array.finish().view());
  }

 private:
  static constexpr size_t kMostWords = 18;  ///< of most messages
  Encoder() = default;
  void word(ByteView bytes);
  void number(u128 low, uint8_t high_byte);

  Bytes words_;
};

/// hashStruct of a struct with kType and named fields.
template <HasFields T>
Hash32 encode_and_hash(const T& message) {
  static const Hash32 type_hash = keccak256(T::kType);
  Encoder encoder(type_hash);
  T::visit_fields(message, encoder);
  return encoder.finish();
}

}  // namespace mizan::eip712
