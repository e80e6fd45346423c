// What the program journal_writer writes, so that a test can tell what must be there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/binary.hpp"

namespace mizan::crash {

/// The group that starts at `first` has this many records.
constexpr uint64_t writer_group_size(uint64_t first) {
  return 1 + first * 2654435761u % 7;
}

/// A record names itself and its group, and has a length of its own.
inline Bytes writer_record(uint64_t sequence, uint64_t first) {
  Writer record;
  record.put(sequence);
  record.put(first);
  record.put_bytes(Bytes(sequence * 37 % 300, static_cast<uint8_t>(sequence)));
  return record.take();
}

inline std::string writer_state(uint64_t sequence) {
  return "the state after " + std::to_string(sequence);
}

}  // namespace mizan::crash
