// Result<T>: a value or an Error; what every fallible function of a pure library returns.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.hpp"

#include <tl/expected.hpp>

#include <string>
#include <utility>

namespace mizan {

/// A `T` or the reason why there is none. g++ 12 has std::expected only in C++23 mode, which clang
/// 14 refuses, hence tl::expected, whose interface is the standard's.
template <class T>
using Result = tl::expected<T, Error>;

/// `return fail(ErrorCode::not_found, "...");` in a function that returns any Result.
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace mizan

/// MIZAN_TRY(name, expression): declares `name` as the value of a Result, or returns its error.
#define MIZAN_TRY_JOIN2(a, b) a##b
#define MIZAN_TRY_JOIN(a, b) MIZAN_TRY_JOIN2(a, b)
#define MIZAN_TRY_IMPL(result, name, ...)                                    \
  auto result = (__VA_ARGS__);                                               \
  if (!result) return ::tl::unexpected<::mizan::Error>(std::move(result).error()); \
  auto name = *std::move(result)
#define MIZAN_TRY(name, ...) MIZAN_TRY_IMPL(MIZAN_TRY_JOIN(mizan_try_, __LINE__), name, __VA_ARGS__)

/// MIZAN_CHECK(expression): returns the error of a Result<void>, or goes on.
#define MIZAN_CHECK(...)                                                              \
  do {                                                                                \
    if (auto mizan_check = (__VA_ARGS__); !mizan_check)                               \
      return ::tl::unexpected<::mizan::Error>(std::move(mizan_check).error());        \
  } while (false)
