#include "codec/binary.hpp"

#include "base/ensure.hpp"
#include "crypto/hash.hpp"

#include <limits>

namespace mizan {

void Writer::big_endian(u128 value, size_t width) {
  for (size_t i = width; i-- > 0;) out_.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

void Writer::count(size_t value) {
  ensure(value <= std::numeric_limits<uint32_t>::max(), "an encoded length fits 32 bits");
  big_endian(value, 4);
}

void Writer::put_bytes(ByteView bytes) {
  count(bytes.size());
  raw(bytes);
}

ByteView Reader::raw(size_t size) {
  if (failed()) return {};
  if (size > left_.size()) {
    refuse("it is cut short");
    return {};
  }
  const ByteView bytes = left_.first(size);
  left_ = left_.subspan(size);
  return bytes;
}

ByteView Reader::get_bytes() {
  return raw(static_cast<size_t>(big_endian(4)));
}

u128 Reader::big_endian(size_t width) {
  u128 value = 0;
  for (const uint8_t byte : raw(width)) value = (value << 8) | byte;
  return value;
}

// Every element takes a byte at least (but a struct without fields, of which no list is useful).
size_t Reader::count() {
  const auto size = static_cast<size_t>(big_endian(4));
  if (size > left_.size()) {
    refuse("a count is larger than what is left");
    return 0;
  }
  return size;
}

void Reader::refuse(std::string why) {
  if (failed()) return;
  fault_ = std::move(why);
  left_ = {};
}

Result<void> Reader::status() const {
  if (failed()) return fail(ErrorCode::corrupted, "the encoded bytes are damaged: " + fault_);
  return {};
}

Result<void> Reader::finish() const {
  MIZAN_CHECK(status());
  if (!left_.empty())
    return fail(ErrorCode::corrupted, "the encoded bytes are damaged: " +
                                          std::to_string(left_.size()) + " bytes follow the end");
  return {};
}

Hash32 hash_of_encoding(ByteView bytes) {
  return keccak256(bytes);
}

}  // namespace mizan
