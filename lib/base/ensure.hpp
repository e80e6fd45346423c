// ensure(): an invariant that is checked in every build.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace mizan {

/// Prints `what` and the place to standard error and aborts. A broken invariant stops the process:
/// going on could spend money that is not there.
[[noreturn]] void broken_invariant(std::string_view what, const char* file, int line);

/// `what` states the invariant that should hold, as a sentence; it never holds a secret. (The place
/// comes from the compilers' builtins: clang 14 has no std::source_location over g++ 12's library.)
inline void ensure(bool holds, std::string_view what, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE()) {
  if (!holds) [[unlikely]]
    broken_invariant(what, file, line);
}

}  // namespace mizan
