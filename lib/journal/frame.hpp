// A group as bytes: the form in which it is stored and hashed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.hpp"

#include <string>
#include <vector>

namespace mizan::journal {

/// previous hash (32) | first sequence (8) | count (4) | count x (length (4) | bytes) | hash (32),
/// integers big-endian, where hash = SHA-256 of everything before it. Errors as
/// Journal::append_group says.
Result<Bytes> encode_frame(const Head& previous, std::span<const ByteView> records);

/// A checked frame; the views point into the bytes that it was decoded from.
struct Frame {
  Hash32 previous;
  GroupInfo group;
  std::vector<ByteView> records;
  Head end() const { return {group.last_sequence, group.head}; }
};

/// Checks shape and hash, and that the group follows `previous`. The error is corrupted, with the
/// sequence at which the group was expected in details.place.
Result<Frame> decode_frame(const Head& previous, ByteView bytes);

/// As decode_frame, for a group whose predecessor is not at hand: the link to it is not checked.
Result<Frame> decode_unlinked_frame(ByteView bytes);

/// corrupted; `place` goes into the message and details.place.
Error damaged(std::string place, std::string_view what);

}  // namespace mizan::journal
