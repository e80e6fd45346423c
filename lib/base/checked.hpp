// Checked integer arithmetic: an operation that would wrap is an error, never a number.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <concepts>
#include <cstdint>

namespace mizan {

__extension__ typedef unsigned __int128 u128;

template <class T>
concept CheckedInteger = std::integral<T> || std::same_as<T, u128>;

template <CheckedInteger T>
Result<T> checked_add(T a, T b) {
  T sum;
  if (__builtin_add_overflow(a, b, &sum)) return fail(ErrorCode::overflow, "a sum is too large");
  return sum;
}

template <CheckedInteger T>
Result<T> checked_sub(T a, T b) {
  T difference;
  if (__builtin_sub_overflow(a, b, &difference))
    return fail(ErrorCode::overflow, "a difference is below zero or too large");
  return difference;
}

template <CheckedInteger T>
Result<T> checked_mul(T a, T b) {
  T product;
  if (__builtin_mul_overflow(a, b, &product))
    return fail(ErrorCode::overflow, "a product is too large");
  return product;
}

}  // namespace mizan
