#include "base/ensure.hpp"

#include <cstdio>
#include <cstdlib>

namespace mizan {

void broken_invariant(std::string_view what, const std::source_location& where) {
  std::fprintf(stderr, "mizan: broken invariant: %.*s (%s:%u)\n", static_cast<int>(what.size()),
               what.data(), where.file_name(), static_cast<unsigned>(where.line()));
  std::abort();
}

}  // namespace mizan
