// Reading answers of the exchange: by name, with the path in errors, passing over what is new.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json_fields.hpp"

#include <string>
#include <string_view>

namespace mizan::cli {

/// The object's member `key` as a T. A missing one is an error (internal: the exchange's fault).
template <class T>
Result<T> member(const json::value& value, std::string_view key) {
  const json::object* object = value.if_object();
  const json::value* found = object == nullptr ? nullptr : object->if_contains(key);
  if (found == nullptr)
    return fail(Error{ErrorCode::internal,
                      "the exchange's answer lacks \"" + std::string(key) + "\"",
                      {{"field", std::string(key)}}});
  return from_json<T>(*found, key);
}

/// The same, or `otherwise` when it is missing, null or of another form: for what is only shown.
template <class T>
T member_or(const json::value& value, std::string_view key, T otherwise = {}) {
  const json::object* object = value.if_object();
  const json::value* found = object == nullptr ? nullptr : object->if_contains(key);
  if (found == nullptr || found->is_null()) return otherwise;
  auto read = from_json<T>(*found, key);
  return read ? *std::move(read) : std::move(otherwise);
}

/// The member itself, or null.
inline const json::value& member_value(const json::value& value, std::string_view key) {
  static const json::value kNull;
  const json::object* object = value.if_object();
  const json::value* found = object == nullptr ? nullptr : object->if_contains(key);
  return found == nullptr ? kNull : *found;
}

}  // namespace mizan::cli
