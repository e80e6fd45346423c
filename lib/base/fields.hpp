// MIZAN_FIELDS: names a struct's fields once, for encoding, JSON and hashing.
// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Inside a struct: `MIZAN_FIELDS(owner, amount)` declares
///
///     template <class Self, class V> static void visit_fields(Self& self, V&& v) {
///       v("owner", self.owner); v("amount", self.amount);
///     }
///
/// which is all that lib/codec needs to encode, decode, hash and turn it into JSON; the order is
/// the order on the wire. A struct without fields says MIZAN_FIELDS(). Any struct with this static
/// function, such as those generated from protocol/eip712.json, is treated alike. At most 64
/// fields.
#define MIZAN_FIELDS(...)                                                         \
  template <class Self, class V>                                                  \
  static void visit_fields([[maybe_unused]] Self& self, [[maybe_unused]] V&& v) { \
    __VA_OPT__(MIZAN_EXPAND(MIZAN_EACH_FIELD(__VA_ARGS__)))                       \
  }

#define MIZAN_PARENS ()
#define MIZAN_EXPAND(...) MIZAN_EXPAND3(MIZAN_EXPAND3(MIZAN_EXPAND3(MIZAN_EXPAND3(__VA_ARGS__))))
#define MIZAN_EXPAND3(...) MIZAN_EXPAND2(MIZAN_EXPAND2(MIZAN_EXPAND2(MIZAN_EXPAND2(__VA_ARGS__))))
#define MIZAN_EXPAND2(...) MIZAN_EXPAND1(MIZAN_EXPAND1(MIZAN_EXPAND1(MIZAN_EXPAND1(__VA_ARGS__))))
#define MIZAN_EXPAND1(...) __VA_ARGS__
#define MIZAN_EACH_FIELD(field, ...) \
  v(#field, self.field);             \
  __VA_OPT__(MIZAN_EACH_FIELD_AGAIN MIZAN_PARENS(__VA_ARGS__))
#define MIZAN_EACH_FIELD_AGAIN() MIZAN_EACH_FIELD

namespace mizan {

/// What a visitor may be handed to find out whether a type names its fields.
struct IgnoreFields {
  template <class Field>
  void operator()(const char*, Field&) const {}
};

/// A struct whose fields are named.
template <class T>
concept HasFields = requires(T& value) {
  T::visit_fields(value, IgnoreFields{});
};

}  // namespace mizan
