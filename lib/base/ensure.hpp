// ensure(): an invariant that is checked in every build.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <source_location>
#include <string_view>

namespace mizan {

/// Prints `what` and the place to standard error and aborts. A broken invariant stops the process:
/// going on could spend money that is not there.
[[noreturn]] void broken_invariant(std::string_view what, const std::source_location& where);

/// `what` states the invariant that should hold, as a sentence; it never holds a secret.
inline void ensure(bool holds, std::string_view what,
                   const std::source_location& where = std::source_location::current()) {
  if (!holds) [[unlikely]] broken_invariant(what, where);
}

}  // namespace mizan
