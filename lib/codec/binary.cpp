#include "codec/binary.hpp"

#include "base/ensure.hpp"
#include "crypto/hash.hpp"

#include <limits>

namespace mizan {

void Writer::count(size_t value) {
  ensure(value <= std::numeric_limits<uint32_t>::max(), "an encoded length fits 32 bits");
  big_endian(static_cast<uint32_t>(value));
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
  return raw(big_endian<uint32_t>());
}

// Every element takes a byte at least (but a struct without fields, of which no list is useful).
size_t Reader::count() {
  const auto size = size_t{big_endian<uint32_t>()};
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
