// The canonical binary encoding: one value, one spelling; for the journal, hashes and digests.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/type_traits.hpp"

namespace mizan {

/// Writes values one after the other:
///
/// | type | bytes |
/// |---|---|
/// | integers, enums | big-endian, their own width (an enum's is that of its underlying type) |
/// | u128, Money, Rate | 16, big-endian |
/// | bool | one byte, 0 or 1 |
/// | Hash32, Address, ... | as they are |
/// | std::string, Bytes | u32 length, then the bytes |
/// | std::vector, std::set, std::map, IdMap | u32 count, then the elements; sets and maps in order
/// | | std::array, std::pair, structs with named fields (base/fields.hpp) | their elements | |
/// std::optional | bool, then the value if there is one | | std::variant | u8 index, then the value
/// |
///
/// An enum needs a function beside it that names its last enumerator, so that others are refused:
/// `constexpr Phase enum_last(Phase) { return Phase::failed; }`; its enumerators run from 0.
class Writer {
 public:
  template <class T>
  void put(const T& value);
  void put_bytes(ByteView bytes);  ///< u32 length, then the bytes
  void raw(ByteView bytes) { append(out_, bytes); }
  void reserve(size_t bytes) { out_.reserve(bytes); }
  const Bytes& bytes() const { return out_; }
  Bytes take() { return std::exchange(out_, {}); }

 private:
  template <class T>
  void big_endian(T value) {
    std::array<uint8_t, sizeof(T)> bytes;
    for (size_t i = sizeof(T); i-- > 0; value = static_cast<T>(sizeof(T) == 1 ? 0 : value >> 8))
      bytes[i] = static_cast<uint8_t>(value);
    raw(bytes);
  }
  void count(size_t value);
  Bytes out_;
};

/// Reads what a Writer wrote. Every length is checked against what is left before anything is
/// allocated, so memory stays within a constant times the input. After the first fault every read
/// gives an empty value; `finish` or `status` tells. Does not own the bytes.
class Reader {
 public:
  explicit Reader(ByteView bytes) : left_(bytes) {}
  template <class T>
  T get();
  ByteView get_bytes();       ///< u32 length, then the bytes: a view into the input
  ByteView raw(size_t size);  ///< exactly `size` bytes
  ByteView rest() const { return left_; }
  bool failed() const { return !fault_.empty(); }
  /// Marks the input as faulty; `why` is a sentence.
  void refuse(std::string why);
  Result<void> status() const;
  /// status(), and bytes that nobody read are a fault too.
  Result<void> finish() const;

 private:
  template <class T>
  T big_endian() {
    T value = 0;
    for (const uint8_t byte : raw(sizeof(T)))
      value = static_cast<T>(sizeof(T) == 1 ? byte : value << 8 | byte);
    return value;
  }
  size_t count();
  template <class V, size_t I = 0>
  V alternative(size_t index);
  template <class K, class V>
  static const K& put_last(std::map<K, V>& map, K key, V value);
  template <class K, class V>
  static const K& put_last(IdMap<K, V>& map, const K& key, V value);

  ByteView left_;
  std::string fault_;
};

/// Room that most encoded values fit.
inline constexpr size_t kFirstBytes = 1024;

template <class T>
Bytes encode(const T& value) {
  Writer writer;
  writer.reserve(kFirstBytes);
  writer.put(value);
  return writer.take();
}
/// The whole of `bytes` as a T, or an error (corrupted): cut short, trailing bytes, a bool that is
/// neither 0 nor 1, an unknown enumerator or alternative, a map out of order.
template <class T>
Result<T> decode(ByteView bytes) {
  Reader reader(bytes);
  T value = reader.get<T>();
  MIZAN_CHECK(reader.finish());
  return value;
}
/// The Keccak-256 of canonical bytes: a state's hash is `hash_of_encoding(encode(state))`.
Hash32 hash_of_encoding(ByteView bytes);
template <class T>
Hash32 state_hash(const T& value) {
  return hash_of_encoding(encode(value));
}

template <class T>
void Writer::put(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    out_.push_back(value ? 1 : 0);
  } else if constexpr (shape::Enum<T>) {
    put(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (shape::Integer<T>) {
    big_endian(static_cast<std::make_unsigned_t<T>>(value));
  } else if constexpr (std::same_as<T, u128>) {
    big_endian(value);
  } else if constexpr (shape::Amount<T>) {
    big_endian(value.nano);
  } else if constexpr (shape::Milliseconds<T>) {
    big_endian(value.ms);
  } else if constexpr (shape::Fixed<T>) {
    raw(value.view());
  } else if constexpr (std::same_as<T, std::string>) {
    put_bytes(as_bytes(value));
  } else if constexpr (std::same_as<T, Bytes>) {
    put_bytes(value);
  } else if constexpr (shape::Vector<T> || shape::Set<T> || shape::Map<T>) {
    count(value.size());
    for (const auto& element : value) {
      if constexpr (shape::Map<T>) {
        put(element.first);
        put(element.second);
      } else {
        put<typename T::value_type>(element);
      }
    }
  } else if constexpr (shape::Array<T>) {
    for (const auto& element : value) put(element);
  } else if constexpr (shape::Pair<T>) {
    put(value.first);
    put(value.second);
  } else if constexpr (shape::Optional<T>) {
    put(value.has_value());
    if (value) put(*value);
  } else if constexpr (shape::Variant<T>) {
    static_assert(std::variant_size_v<T> <= 256);
    put(static_cast<uint8_t>(value.index()));
    std::visit([this](const auto& alternative) { this->put(alternative); }, value);
  } else if constexpr (HasFields<T>) {
    T::visit_fields(value, [this](const char*, const auto& field) { this->put(field); });
  } else {
    static_assert(std::same_as<T, std::monostate>, "name the struct's fields: base/fields.hpp");
  }
}

template <class T>
T Reader::get() {
  if constexpr (std::same_as<T, bool>) {
    const auto value = big_endian<uint8_t>();
    if (value > 1) refuse("a bool is 0 or 1");
    return value == 1;
  } else if constexpr (shape::Enum<T>) {
    const auto value = get<std::underlying_type_t<T>>();
    if (value < 0 || value > static_cast<std::underlying_type_t<T>>(enum_last(T{}))) {
      refuse("an enumerator is unknown");
      return T{};
    }
    return static_cast<T>(value);
  } else if constexpr (shape::Integer<T>) {
    return static_cast<T>(big_endian<std::make_unsigned_t<T>>());
  } else if constexpr (std::same_as<T, u128>) {
    return big_endian<u128>();
  } else if constexpr (shape::Amount<T>) {
    return T{big_endian<u128>()};
  } else if constexpr (shape::Milliseconds<T>) {
    return T{big_endian<uint64_t>()};
  } else if constexpr (shape::Fixed<T>) {
    T value;
    const ByteView bytes = raw(value.bytes.size());
    std::copy(bytes.begin(), bytes.end(), value.bytes.begin());
    return value;
  } else if constexpr (std::same_as<T, std::string>) {
    return std::string(as_text(get_bytes()));
  } else if constexpr (std::same_as<T, Bytes>) {
    const ByteView bytes = get_bytes();
    return Bytes(bytes.begin(), bytes.end());
  } else if constexpr (shape::Vector<T>) {
    T value;
    const size_t size = count();
    for (size_t i = 0; i < size && !failed(); ++i) value.push_back(get<typename T::value_type>());
    return value;
  } else if constexpr (shape::Set<T>) {
    T value;
    const size_t size = count();
    for (size_t i = 0; i < size && !failed(); ++i) {
      auto element = get<typename T::value_type>();
      if (!value.empty() && !value.key_comp()(*value.rbegin(), element))
        refuse("a set is not in order");
      value.insert(value.end(), std::move(element));
    }
    return value;
  } else if constexpr (shape::Map<T>) {
    T value;
    const typename T::key_type* last = nullptr;
    const size_t size = count();
    for (size_t i = 0; i < size && !failed(); ++i) {
      auto key = get<typename T::key_type>();
      if (last != nullptr && !(*last < key)) refuse("a map is not in order");
      last = &put_last(value, std::move(key), get<typename T::mapped_type>());
    }
    return value;
  } else if constexpr (shape::Array<T>) {
    T value{};
    for (auto& element : value) element = get<typename T::value_type>();
    return value;
  } else if constexpr (shape::Pair<T>) {
    auto first = get<typename T::first_type>();
    return T(std::move(first), get<typename T::second_type>());
  } else if constexpr (shape::Optional<T>) {
    if (!get<bool>()) return std::nullopt;
    return get<typename T::value_type>();
  } else if constexpr (shape::Variant<T>) {
    return alternative<T>(get<uint8_t>());
  } else if constexpr (HasFields<T>) {
    T value{};
    T::visit_fields(value, [this]<class Field>(const char*, Field& field) {
      if (!failed()) field = this->get<Field>();
    });
    return value;
  } else {
    static_assert(std::same_as<T, std::monostate>, "name the struct's fields: base/fields.hpp");
    return T{};
  }
}

template <class K, class V>
const K& Reader::put_last(std::map<K, V>& map, K key, V value) {
  return map.emplace_hint(map.end(), std::move(key), std::move(value))->first;
}
template <class K, class V>
const K& Reader::put_last(IdMap<K, V>& map, const K& key, V value) {
  return map.emplace(key, std::move(value)).first->first;
}

template <class V, size_t I>
V Reader::alternative(size_t index) {
  if constexpr (I < std::variant_size_v<V>) {
    if (index == I) return V(std::in_place_index<I>, get<std::variant_alternative_t<I, V>>());
    return alternative<V, I + 1>(index);
  } else {
    refuse("an alternative is unknown");
    return V{};
  }
}

}  // namespace mizan
