#include "base/time.hpp"

#include <ctime>

namespace mizan {
namespace {

uint64_t read_ms(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000 + static_cast<uint64_t>(t.tv_nsec) / 1'000'000;
}

class SystemClock final : public Clock {
 public:
  UnixMs now() const override { return {read_ms(CLOCK_REALTIME)}; }
  MonotonicMs monotonic() const override { return {read_ms(CLOCK_BOOTTIME)}; }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace mizan
