// Values with every shape that the codec knows, for its tests.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/binary.hpp"
#include "crypto/eip712_messages.hpp"

#include <random>

namespace mizan::test {

enum class Colour : uint8_t { red, green, blue };
constexpr Colour enum_last(Colour) {
  return Colour::blue;
}

struct Nothing {
  MIZAN_FIELDS()
  friend bool operator==(const Nothing&, const Nothing&) = default;
};

struct Inner {
  std::string name;
  int32_t number = 0;
  MIZAN_FIELDS(name, number)
  friend bool operator==(const Inner&, const Inner&) = default;
};

struct Everything {
  bool flag = false;
  uint8_t small = 0;
  uint16_t middle = 0;
  int64_t negative = 0;
  u128 huge = 0;
  Money money;
  Rate rate;
  UnixMs when;
  Colour colour = Colour::red;
  Hash32 hash;
  Address address;
  std::string text;
  Bytes blob;
  std::vector<Inner> inners;
  std::array<uint16_t, 3> three{};
  std::optional<Inner> maybe;
  std::pair<uint8_t, std::string> both;
  std::map<Hash32, std::vector<uint32_t>> by_hash;
  std::set<uint64_t> numbers;
  std::variant<Nothing, Inner, std::monostate, uint64_t> one_of;
  MIZAN_FIELDS(flag, small, middle, negative, huge, money, rate, when, colour, hash, address, text,
               blob, inners, three, maybe, both, by_hash, numbers, one_of)
  friend bool operator==(const Everything&, const Everything&) = default;
};

/// Fills any value at random, with lists of up to four elements.
class Filler {
 public:
  explicit Filler(uint64_t seed) : random_(seed) {}
  uint64_t below(uint64_t limit) { return random_() % limit; }

  template <class T>
  void fill(T& value) {
    if constexpr (std::same_as<T, bool>) {
      value = below(2) == 1;
    } else if constexpr (shape::Enum<T>) {
      value = static_cast<T>(below(static_cast<uint64_t>(enum_last(T{})) + 1));
    } else if constexpr (shape::Integer<T>) {
      value = static_cast<T>(random_() >> below(64));
    } else if constexpr (std::same_as<T, u128>) {
      value = ((u128{random_()} << 64) | random_()) >> below(128);
    } else if constexpr (shape::Amount<T>) {
      fill(value.nano);
    } else if constexpr (shape::Milliseconds<T>) {
      fill(value.ms);
    } else if constexpr (shape::Fixed<T>) {
      for (uint8_t& byte : value.bytes) fill(byte);
    } else if constexpr (std::same_as<T, std::string>) {
      value.resize(below(5));
      for (char& c : value) c = static_cast<char>(below(128));
    } else if constexpr (shape::Vector<T>) {
      value.resize(below(5));
      for (auto& element : value) fill(element);
    } else if constexpr (shape::Array<T>) {
      for (auto& element : value) fill(element);
    } else if constexpr (shape::Pair<T>) {
      fill(value.first);
      fill(value.second);
    } else if constexpr (shape::Optional<T>) {
      value.reset();
      if (below(2) == 1) fill(value.emplace());
    } else if constexpr (shape::Set<T>) {
      for (uint64_t i = below(5); i > 0; --i) {
        typename T::value_type element{};
        fill(element);
        value.insert(element);
      }
    } else if constexpr (shape::Map<T>) {
      for (uint64_t i = below(5); i > 0; --i) {
        typename T::key_type key{};
        fill(key);
        fill(value[key]);
      }
    } else if constexpr (shape::Variant<T>) {
      fill_alternative(value, below(std::variant_size_v<T>));
    } else if constexpr (HasFields<T>) {
      T::visit_fields(value, [this](const char*, auto& field) { this->fill(field); });
    }
  }

 private:
  template <class V, size_t I = 0>
  void fill_alternative(V& value, uint64_t index) {
    if constexpr (I < std::variant_size_v<V>) {
      if (index == I)
        fill(value.template emplace<I>());
      else
        fill_alternative<V, I + 1>(value, index);
    }
  }
  std::mt19937_64 random_;
};

}  // namespace mizan::test
