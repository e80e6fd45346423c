#include "load/ladder.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace mizan::bench {

Rung OpenLoop::finish(Time::time_point last_answer) {
  std::sort(latencies_.begin(), latencies_.end());
  const auto at = [this](double q) -> double {
    const auto place = static_cast<size_t>(q * static_cast<double>(latencies_.size()));
    return latencies_[std::min(latencies_.size() - 1, place)];
  };
  const std::chrono::duration<double> took = last_answer - start_;
  return {rate_,
          static_cast<double>(latencies_.size()) / took.count(),
          latencies_.size(),
          at(0.5),
          at(0.99),
          at(0.999),
          latencies_.back()};
}

void print_head(const std::string& scope) {
  fmt::print("\n{}\n{:>12} {:>12} {:>10} {:>12} {:>12} {:>12} {:>12}\n", scope, "offered/s",
             "achieved/s", "requests", "p50 us", "p99 us", "p99.9 us", "max us");
}

void print(const Rung& rung) {
  fmt::print("{:>12.0f} {:>12.0f} {:>10} {:>12.1f} {:>12.1f} {:>12.1f} {:>12.1f}{}\n", rung.offered,
             rung.achieved, rung.count, rung.p50_us, rung.p99_us, rung.p999_us, rung.max_us,
             rung.sustained() ? "" : "  saturated");
}

}  // namespace mizan::bench
