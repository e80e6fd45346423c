// The shape of what lib/codec writes, as a text: it changes whenever the bytes would be others.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/type_traits.hpp"

namespace mizan::test {

template <class T>
void add_shape(std::string& out);

template <template <class...> class Many, class... Parts>
void add_parts(std::string& out, const Many<Parts...>*) {
  ((add_shape<Parts>(out), out += '|'), ...);
}
template <template <class...> class Map, class Key, class Value, class... Rest>
void add_entry(std::string& out, const Map<Key, Value, Rest...>*) {
  add_shape<Key>(out);
  out += ':';
  add_shape<Value>(out);
}

template <class T>
void add_shape(std::string& out) {
  constexpr const T* kNone = nullptr;
  if constexpr (std::same_as<T, bool>) {
    out += "bool";
  } else if constexpr (shape::Enum<T>) {
    out += "enum" + std::to_string(sizeof(T)) + "." +
           std::to_string(static_cast<uint64_t>(enum_last(T{})));
  } else if constexpr (shape::Integer<T> || std::same_as<T, u128> || shape::Amount<T> ||
                       shape::Milliseconds<T>) {
    out += (std::is_signed_v<T> ? "i" : "u") + std::to_string(8 * sizeof(T));
  } else if constexpr (shape::Fixed<T>) {
    out += "fixed" + std::to_string(sizeof(T));
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, Bytes>) {
    out += "bytes";
  } else if constexpr (shape::Vector<T> || shape::Set<T>) {
    out += '[';
    add_shape<typename T::value_type>(out);
    out += ']';
  } else if constexpr (shape::Map<T>) {
    out += '{';
    add_entry(out, kNone);
    out += '}';
  } else if constexpr (shape::Array<T>) {
    out += '[' + std::to_string(std::tuple_size_v<T>) + ' ';
    add_shape<typename T::value_type>(out);
    out += ']';
  } else if constexpr (shape::Optional<T>) {
    out += '?';
    add_shape<typename T::value_type>(out);
  } else if constexpr (shape::Pair<T> || shape::Variant<T>) {
    out += '<';
    add_parts(out, kNone);
    out += '>';
  } else {
    T value{};
    out += '(';
    T::visit_fields(value, [&out]<class Field>(const char* name, Field&) {
      out += name;
      out += ' ';
      add_shape<Field>(out);
      out += ',';
    });
    out += ')';
  }
}

template <class T>
std::string shape_of() {
  std::string out;
  add_shape<T>(out);
  return out;
}

}  // namespace mizan::test
