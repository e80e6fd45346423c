// Which shape a type has, for the generic encoders.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/fields.hpp"
#include "base/id_map.hpp"
#include "base/money.hpp"
#include "base/time.hpp"

#include <concepts>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace mizan::shape {

template <class T, template <class...> class Template>
inline constexpr bool kIs = false;
template <template <class...> class Template, class... Args>
inline constexpr bool kIs<Template<Args...>, Template> = true;

template <class T>
concept Vector = kIs<T, std::vector>;
template <class T>
concept Optional = kIs<T, std::optional>;
template <class T>
concept Map = kIs<T, std::map> || kIs<T, IdMap>;
template <class T>
concept Set = kIs<T, std::set>;
template <class T>
concept Pair = kIs<T, std::pair>;
template <class T>
concept Variant = kIs<T, std::variant>;

template <class T>
inline constexpr bool kIsFixed = false;
template <size_t N, class Tag>
inline constexpr bool kIsFixed<FixedBytes<N, Tag>> = true;
template <class T>
concept Fixed = kIsFixed<T>;

template <class T>
inline constexpr bool kIsArray = false;
template <class T, size_t N>
inline constexpr bool kIsArray<std::array<T, N>> = true;
template <class T>
concept Array = kIsArray<T>;

/// An amount: one u128 named nano.
template <class T>
concept Amount = std::same_as<T, Money> || std::same_as<T, Rate>;
/// A point in time or a duration: one uint64_t named ms.
template <class T>
concept Milliseconds = std::same_as<T, UnixMs> || std::same_as<T, MonotonicMs>;
template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool>;
template <class T>
concept Enum = std::is_enum_v<T>;

template <class T>
inline constexpr bool kNoShape = false;

}  // namespace mizan::shape
