#include "crypto/private_process.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace mizan {

void make_process_private() {
  // Also against a core that would be piped to a program, which no limit of size stops.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  rlimit cores{};
  if (::getrlimit(RLIMIT_CORE, &cores) != 0) return;
  cores.rlim_cur = 0;  // not rlim_max: a job may be given its own
  ::setrlimit(RLIMIT_CORE, &cores);
}

}  // namespace mizan
