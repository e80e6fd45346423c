#include "journal/frame.hpp"

#include "codec/binary.hpp"
#include "crypto/hash.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mizan::journal {
namespace {

constexpr size_t kHashBytes = 32;
constexpr size_t kBytesMin = 32 + 8 + 4 + kHashBytes;

Result<Frame> decode(ByteView bytes, const std::string& place) {
  if (bytes.size() < kBytesMin) return fail(damaged(place, "a group is shorter than its frame"));
  const ByteView hashed = bytes.first(bytes.size() - kHashBytes);
  Reader tail(bytes.subspan(hashed.size()));
  Frame frame;
  frame.group.head = tail.get<Hash32>();
  if (sha256(hashed) != frame.group.head) return fail(damaged(place, "the group's hash differs"));
  Reader reader(hashed);
  frame.previous = reader.get<Hash32>();
  const auto first = reader.get<uint64_t>();
  const auto count = reader.get<uint32_t>();
  if (count == 0 || count > kMaxGroupRecords || first == 0 || first + count < first)
    return fail(damaged(place, "the group's numbers are out of range"));
  frame.group.first_sequence = first;
  frame.group.last_sequence = first + count - 1;
  frame.records.reserve(count);
  for (uint32_t i = 0; i < count; ++i) frame.records.push_back(reader.get_bytes());
  if (const auto whole = reader.finish(); !whole)
    return fail(damaged(place, "a group's records do not fill it: " + whole.error().message));
  return frame;
}

}  // namespace

Error damaged(std::string place, std::string_view what) {
  Error error{ErrorCode::corrupted,
              fmt::format("the journal is damaged at {}: {}; restore it from a copy", place, what)};
  return std::move(error).with("place", std::move(place));
}

Result<Bytes> encode_frame(const Head& previous, std::span<const ByteView> records) {
  if (records.empty())
    return fail(ErrorCode::invalid_argument, "a group has no records: append at least one");
  if (records.size() > kMaxGroupRecords)
    return fail(ErrorCode::too_large, fmt::format("a group has {} records: at most {} fit",
                                                  records.size(), kMaxGroupRecords));
  size_t bytes = 0;
  for (const ByteView record : records) {
    bytes += std::min(record.size(), kMaxGroupBytes + 1);
    if (bytes > kMaxGroupBytes)
      return fail(ErrorCode::too_large,
                  fmt::format("a group's records are over {} bytes: split it", kMaxGroupBytes));
  }
  Writer frame;
  frame.put(previous.hash);
  frame.put(previous.sequence + 1);
  frame.put(static_cast<uint32_t>(records.size()));
  for (const ByteView record : records) frame.put_bytes(record);
  frame.put(sha256(frame.bytes()));
  return frame.take();
}

Result<Frame> decode_unlinked_frame(ByteView bytes) {
  Reader reader(bytes);
  reader.raw(32);
  return decode(bytes, fmt::format("sequence {}", reader.get<uint64_t>()));
}

Result<Frame> decode_frame(const Head& previous, ByteView bytes) {
  const std::string place = fmt::format("sequence {}", previous.sequence + 1);
  MIZAN_TRY(frame, decode(bytes, place));
  if (frame.group.first_sequence != previous.sequence + 1)
    return fail(damaged(place, fmt::format("the next group starts at {}: records are missing",
                                           frame.group.first_sequence)));
  if (frame.previous != previous.hash)
    return fail(damaged(place, "the group does not follow from the one before"));
  return frame;
}

}  // namespace mizan::journal
