#include "base/ensure.hpp"

#include <cstdio>
#include <cstdlib>

namespace mizan {

void broken_invariant(std::string_view what, const char* file, int line) {
  std::fprintf(stderr, "mizan: broken invariant: %.*s (%s:%d)\n", static_cast<int>(what.size()),
               what.data(), file, line);
  std::abort();
}

}  // namespace mizan
