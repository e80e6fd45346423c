// What every fuzz target has: its entry, its check, and an input that is read as choices.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/ensure.hpp"

#include <algorithm>

/// A target's one function: libFuzzer calls it with what it made up, replay.cpp with the files of a
/// corpus. A property that does not hold stops the process, as every broken invariant does.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace mizan::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return as_text({data, size});
}

/// Reads an input as a row of choices, for targets that make up what no decoder sees. After the end
/// all choices are 0.
class Choices {
 public:
  explicit Choices(ByteView bytes) : left_(bytes) {}
  bool empty() const { return left_.empty(); }
  uint8_t byte() {
    if (left_.empty()) return 0;
    const uint8_t first = left_.front();
    left_ = left_.subspan(1);
    return first;
  }
  /// 0 to n - 1; n is at most 65,536.
  uint64_t pick(uint64_t n) {
    const uint64_t high = n > 256 ? byte() : 0;
    return (high << 8 | byte()) % n;
  }
  bool flag() { return (byte() & 1) != 0; }
  /// Up to `most` bytes, their count first.
  ByteView bytes(size_t most) {
    const size_t wanted = pick(std::min<size_t>(most, 65'535) + 1);  // takes from what is left
    const size_t size = std::min(wanted, left_.size());
    const ByteView out = left_.first(size);
    left_ = left_.subspan(size);
    return out;
  }
  ByteView rest() { return std::exchange(left_, {}); }

 private:
  ByteView left_;
};

}  // namespace mizan::fuzz
