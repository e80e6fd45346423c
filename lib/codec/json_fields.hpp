// Structs from and to JSON, field by field, with the path in every error.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "codec/type_traits.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>

namespace mizan {

/// How types are spelled: u128, Money and Rate as decimal strings; Hash32, U256 and Signature as
/// hex with "0x"; Address with its EIP-55 checksum; smaller integers and UnixMs as numbers; Bytes
/// as hex with "0x"; std::optional as null or left out; std::vector as arrays,
/// std::map<std::string, T> and structs with named fields (base/fields.hpp) as objects; json::value
/// as itself.
template <class T>
json::value to_json(const T& value);

/// Reads a T. `path` names the value in messages ("bid.maxRate: expected a decimal string"), which
/// stands in details.field too. Unknown and missing keys of structs are errors.
template <class T>
Result<T> from_json(const json::value& value, std::string_view path);

/// An error about one field: message "path: what", details.field = path.
tl::unexpected<Error> bad_field(std::string_view path, std::string_view what,
                                ErrorCode code = ErrorCode::invalid_argument);

/// Reads an object's members one by one and then asks whether any is left:
///
///     ObjectReader in(value, "bid");
///     in.required("maxRate", bid.max_rate);
///     in.optional("note", note);              // keeps its value when the key is absent or null
///     MIZAN_CHECK(in.finish());
///
/// After the first fault nothing more is read; `finish` returns it. Refers to `value`.
class ObjectReader {
 public:
  ObjectReader(const json::value& value, std::string_view path);

  template <class T>
  void required(std::string_view key, T& out);
  /// True if the key is there and not null.
  template <class T>
  bool optional(std::string_view key, T& out);
  /// The member as it is, or nullptr; counts the key as known.
  const json::value* find(std::string_view key);
  /// "bid.maxRate": for messages about a member.
  std::string path(std::string_view key) const;
  /// Records a fault about a member, unless there is one.
  void refuse(std::string_view key, std::string_view what);
  bool failed() const { return fault_.has_value(); }
  /// The first fault; or a key that nobody asked for (unknown_field, with the nearest known name).
  Result<void> finish() const;

 private:
  template <class T>
  void take(const json::value& member, std::string_view key, T& out);
  void refuse_missing(std::string_view key);

  const json::object* object_ = nullptr;
  std::string path_;
  std::vector<std::string> known_;
  std::optional<Error> fault_;
  bool missing_ = false;  // the fault is an absent key
};

namespace detail {
std::string join_path(std::string_view path, std::string_view key);
Result<bool> read_bool(const json::value& value, std::string_view path);
Result<uint64_t> read_unsigned(const json::value& value, std::string_view path, uint64_t most);
Result<int64_t> read_signed(const json::value& value, std::string_view path, int64_t least,
                            int64_t most);
Result<u128> read_amount(const json::value& value, std::string_view path);
Result<std::string> read_string(const json::value& value, std::string_view path);
/// Hex with "0x"; `size` 0 means any length.
Result<Bytes> read_hex(const json::value& value, std::string_view path, size_t size);
Result<Address> read_address(const json::value& value, std::string_view path);
Result<const json::array*> as_array(const json::value& value, std::string_view path);
Result<const json::object*> as_object(const json::value& value, std::string_view path);
json::value address_json(const Address& address);
}  // namespace detail

template <class T>
void ObjectReader::take(const json::value& member, std::string_view key, T& out) {
  auto value = from_json<T>(member, path(key));
  if (value)
    out = *std::move(value);
  else
    fault_ = std::move(value).error();
}

template <class T>
void ObjectReader::required(std::string_view key, T& out) {
  const json::value* member = find(key);
  if (failed()) return;
  if (member != nullptr)
    take(*member, key, out);
  else if constexpr (shape::Optional<T>)
    out.reset();
  else
    refuse_missing(key);
}

template <class T>
bool ObjectReader::optional(std::string_view key, T& out) {
  const json::value* member = find(key);
  if (failed() || member == nullptr || member->is_null()) return false;
  take(*member, key, out);
  return !failed();
}

template <class T>
json::value to_json(const T& value) {
  if constexpr (std::same_as<T, bool> || std::same_as<T, json::value>) {
    return json::value(value);
  } else if constexpr (std::signed_integral<T>) {
    return json::value(static_cast<int64_t>(value));
  } else if constexpr (shape::Integer<T>) {
    return json::value(static_cast<uint64_t>(value));
  } else if constexpr (std::same_as<T, u128> || shape::Amount<T>) {
    return json::value(to_string(value));
  } else if constexpr (shape::Milliseconds<T>) {
    return json::value(value.ms);
  } else if constexpr (std::same_as<T, Address>) {
    return detail::address_json(value);
  } else if constexpr (shape::Fixed<T>) {
    return json::value(hex0x(value.view()));
  } else if constexpr (std::same_as<T, Bytes>) {
    return json::value(hex0x(value));
  } else if constexpr (std::same_as<T, std::string>) {
    return json::value(json::string_view(value.data(), value.size()));
  } else if constexpr (shape::Optional<T>) {
    return value ? to_json(*value) : json::value(nullptr);
  } else if constexpr (shape::Vector<T>) {
    json::array array;
    for (const auto& element : value) array.push_back(to_json<typename T::value_type>(element));
    return array;
  } else if constexpr (shape::Map<T>) {
    json::object object;
    for (const auto& [key, element] : value) object.emplace(key, to_json(element));
    return object;
  } else {
    static_assert(HasFields<T>, "name the struct's fields: base/fields.hpp");
    json::object object;
    T::visit_fields(value, [&object](const char* name, const auto& field) {
      object.emplace(name, to_json(field));
    });
    return object;
  }
}

template <class T>
Result<T> from_json(const json::value& value, std::string_view path) {
  if constexpr (std::same_as<T, json::value>) {
    return value;
  } else if constexpr (std::same_as<T, bool>) {
    return detail::read_bool(value, path);
  } else if constexpr (std::signed_integral<T>) {
    MIZAN_TRY(number, detail::read_signed(value, path, std::numeric_limits<T>::min(),
                                          std::numeric_limits<T>::max()));
    return static_cast<T>(number);
  } else if constexpr (shape::Integer<T>) {
    MIZAN_TRY(number, detail::read_unsigned(value, path, std::numeric_limits<T>::max()));
    return static_cast<T>(number);
  } else if constexpr (std::same_as<T, u128>) {
    return detail::read_amount(value, path);
  } else if constexpr (shape::Amount<T>) {
    MIZAN_TRY(nano, detail::read_amount(value, path));
    return T{nano};
  } else if constexpr (shape::Milliseconds<T>) {
    MIZAN_TRY(ms, detail::read_unsigned(value, path, std::numeric_limits<uint64_t>::max()));
    return T{ms};
  } else if constexpr (std::same_as<T, Address>) {
    return detail::read_address(value, path);
  } else if constexpr (shape::Fixed<T>) {
    T fixed;
    MIZAN_TRY(bytes, detail::read_hex(value, path, fixed.bytes.size()));
    std::copy(bytes.begin(), bytes.end(), fixed.bytes.begin());
    return fixed;
  } else if constexpr (std::same_as<T, Bytes>) {
    return detail::read_hex(value, path, 0);
  } else if constexpr (std::same_as<T, std::string>) {
    return detail::read_string(value, path);
  } else if constexpr (shape::Optional<T>) {
    if (value.is_null()) return T{};
    MIZAN_TRY(inner, from_json<typename T::value_type>(value, path));
    return T(std::move(inner));
  } else if constexpr (shape::Vector<T>) {
    MIZAN_TRY(array, detail::as_array(value, path));
    T list;
    for (const json::value& element : *array) {
      const std::string place = std::string(path) + "[" + std::to_string(list.size()) + "]";
      MIZAN_TRY(item, from_json<typename T::value_type>(element, place));
      list.push_back(std::move(item));
    }
    return list;
  } else if constexpr (shape::Map<T>) {
    MIZAN_TRY(object, detail::as_object(value, path));
    T map;
    for (const json::key_value_pair& member : *object) {
      const std::string key(member.key());
      MIZAN_TRY(item,
                from_json<typename T::mapped_type>(member.value(), detail::join_path(path, key)));
      map.emplace(key, std::move(item));
    }
    return map;
  } else {
    static_assert(HasFields<T>, "name the struct's fields: base/fields.hpp");
    T message{};
    ObjectReader reader(value, path);
    T::visit_fields(message,
                    [&reader](const char* name, auto& field) { reader.required(name, field); });
    MIZAN_CHECK(reader.finish());
    return message;
  }
}

}  // namespace mizan
