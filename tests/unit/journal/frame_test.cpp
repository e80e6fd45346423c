// A group's bytes: what is written is read, and nothing else is.
// SPDX-License-Identifier: Apache-2.0
#include "journal/frame.hpp"

#include "crypto/hash.hpp"

#include <gtest/gtest.h>

namespace mizan::journal {
namespace {

const Head kPrevious{.sequence = 41, .hash = sha256("before")};

Bytes sample() {
  const std::vector<ByteView> records{as_bytes("one"), as_bytes(""), as_bytes("three")};
  return *encode_frame(kPrevious, records);
}

TEST(Frame, RoundTrip) {
  const Bytes bytes = sample();
  const auto frame = decode_frame(kPrevious, bytes);
  ASSERT_TRUE(frame.has_value()) << frame.error().message;
  EXPECT_EQ(frame->group.first_sequence, 42u);
  EXPECT_EQ(frame->group.last_sequence, 44u);
  ASSERT_EQ(frame->records.size(), 3u);
  EXPECT_EQ(as_text(frame->records[0]), "one");
  EXPECT_EQ(as_text(frame->records[1]), "");
  EXPECT_EQ(as_text(frame->records[2]), "three");
  EXPECT_EQ(frame->group.head, sha256(ByteView(bytes).first(bytes.size() - 32)));
}

// The format must not change unseen: docs/JOURNAL.md gives this group as its example.
TEST(Frame, BytesOfTheExample) {
  const std::vector<ByteView> records{as_bytes("a"), as_bytes("bc")};
  const auto bytes = encode_frame(Head{}, records);
  ASSERT_TRUE(bytes.has_value());
  const std::string text = hex(*bytes);
  EXPECT_EQ(text.substr(0, 64), std::string(64, '0'));
  EXPECT_EQ(text.substr(64, 46),
            "0000000000000001"
            "00000002"
            "0000000161"
            "000000026263");
  EXPECT_EQ(text.size(), 64u + 46u + 64u);
}

TEST(Frame, EveryFlippedBitIsSeen) {
  const Bytes good = sample();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ (1u << bit % 8));
    const auto frame = decode_frame(kPrevious, bad);
    ASSERT_FALSE(frame.has_value()) << "bit " << bit;
    EXPECT_EQ(frame.error().code, ErrorCode::corrupted);
    EXPECT_EQ(frame.error().details.at("place"), "sequence 42");
  }
}

TEST(Frame, EveryTruncationIsSeen) {
  const Bytes good = sample();
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(decode_frame(kPrevious, ByteView(good).first(size)).has_value()) << size;
}

TEST(Frame, LengthsAndCountsAreChecked) {
  // Sealed by whoever can reckon a hash: the shape must still hold.
  const auto resealed = [](Bytes bytes, size_t at, uint8_t value) {
    bytes[at] = value;
    const Hash32 hash = sha256(ByteView(bytes).first(bytes.size() - 32));
    std::copy(hash.bytes.begin(), hash.bytes.end(), bytes.end() - 32);
    return bytes;
  };
  constexpr size_t kCount = 40;
  constexpr size_t kFirstLength = 44;
  for (const uint8_t count : Bytes{0, 1, 2, 4, 255})
    EXPECT_FALSE(decode_frame(kPrevious, resealed(sample(), kCount + 3, count)).has_value());
  EXPECT_FALSE(decode_frame(kPrevious, resealed(sample(), kCount, 255)).has_value());
  for (const uint8_t length : Bytes{0, 2, 4, 255})
    EXPECT_FALSE(decode_frame(kPrevious, resealed(sample(), kFirstLength + 3, length)).has_value());
  EXPECT_FALSE(decode_frame(kPrevious, resealed(sample(), kFirstLength, 255)).has_value());
}

TEST(Frame, FollowsOnlyItsPredecessor) {
  const Bytes bytes = sample();
  EXPECT_FALSE(decode_frame({.sequence = 40, .hash = kPrevious.hash}, bytes).has_value());
  EXPECT_FALSE(decode_frame({.sequence = 41, .hash = sha256("other")}, bytes).has_value());
  EXPECT_TRUE(decode_unlinked_frame(bytes).has_value());
}

TEST(Frame, Bounds) {
  EXPECT_EQ(encode_frame({}, {}).error().code, ErrorCode::invalid_argument);
  const std::vector<ByteView> many(kMaxGroupRecords + 1);
  EXPECT_EQ(encode_frame({}, many).error().code, ErrorCode::too_large);
  const Bytes large(kMaxGroupBytes);
  const std::vector<ByteView> fits{large};
  EXPECT_TRUE(encode_frame({}, fits).has_value());
  const std::vector<ByteView> over{large, as_bytes("x")};
  EXPECT_EQ(encode_frame({}, over).error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace mizan::journal
