#include "codec/binary.hpp"

#include "crypto/hash.hpp"
#include "samples.hpp"
#include "support/seed.hpp"

#include <gtest/gtest.h>

namespace mizan::test {
namespace {

template <class Message>
void round_trip(Filler& filler) {
  Message message{};
  filler.fill(message);
  const Bytes bytes = encode(message);
  const auto back = decode<Message>(bytes);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, message);
  EXPECT_EQ(encode(*back), bytes);
}

Bytes from_hex(std::string_view text) {
  return *parse_hex(text);
}

}  // namespace

TEST(Binary, SpellsEveryShapeAsDocumented) {
  EXPECT_EQ(hex(encode(uint32_t{1})), "00000001");
  EXPECT_EQ(hex(encode(int16_t{-2})), "fffe");
  EXPECT_EQ(hex(encode(true)), "01");
  EXPECT_EQ(hex(encode(Money{258})), "00000000000000000000000000000102");
  EXPECT_EQ(hex(encode(UnixMs{1})), "0000000000000001");
  EXPECT_EQ(hex(encode(std::string("ab"))), "000000026162");
  EXPECT_EQ(hex(encode(Colour::blue)), "02");
  EXPECT_EQ(hex(encode(std::vector<uint8_t>{7, 8})), "000000020708");
  EXPECT_EQ(hex(encode(std::vector<uint16_t>{7, 8})), "0000000200070008");
  EXPECT_EQ(hex(encode(std::optional<bool>{})), "00");
  EXPECT_EQ(hex(encode(std::optional<bool>{false})), "0100");
  EXPECT_EQ(hex(encode(std::map<uint8_t, bool>{{2, true}, {1, false}})), "0000000201000201");
  EXPECT_EQ(hex(encode(std::variant<bool, uint16_t>{uint16_t{5}})), "010005");
  EXPECT_EQ(hex(encode(Inner{"x", -1})), "0000000178ffffffff");
  EXPECT_EQ(hex(encode(Nothing{})), "");
  EXPECT_EQ(state_hash(Nothing{}), keccak256(""));
}

TEST(Binary, EveryMessageComesBack) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  Filler filler(seed);
  for (int i = 0; i < 200; ++i) {
    round_trip<Everything>(filler);
    [&]<class... Messages>(std::tuple<Messages...>*) {
      (round_trip<Messages>(filler), ...);
    }(static_cast<eip712::AllMessages*>(nullptr));
  }
}

TEST(Binary, CutShortAnywhereIsRefused) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  Filler filler(seed);
  for (int i = 0; i < 20; ++i) {
    Everything value;
    filler.fill(value);
    const Bytes bytes = encode(value);
    for (size_t size = 0; size < bytes.size(); ++size) {
      const auto back = decode<Everything>(ByteView(bytes).first(size));
      ASSERT_FALSE(back) << size;
      EXPECT_EQ(back.error().code, ErrorCode::corrupted);
    }
    Bytes longer = bytes;
    longer.push_back(0);
    EXPECT_FALSE(decode<Everything>(longer));
  }
}

// One value, one spelling: whatever is accepted is what would have been written.
TEST(Binary, ChangedBytesAreRefusedOrAnotherValue) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  Filler filler(seed);
  for (int i = 0; i < 2000; ++i) {
    Everything value;
    filler.fill(value);
    Bytes bytes = encode(value);
    bytes[filler.below(bytes.size())] ^= static_cast<uint8_t>(1 + filler.below(255));
    if (const auto back = decode<Everything>(bytes)) {
      EXPECT_FALSE(*back == value);
      EXPECT_EQ(encode(*back), bytes);
    }
  }
}

TEST(Binary, LyingLengthsAllocateNothing) {
  EXPECT_FALSE(decode<std::string>(from_hex("ffffffff61")));
  EXPECT_FALSE(decode<Bytes>(from_hex("ffffffff")));
  EXPECT_FALSE(decode<std::vector<Inner>>(from_hex("ffffffff0000")));
  EXPECT_FALSE(decode<std::vector<Nothing>>(from_hex("ffffffff")));
  EXPECT_FALSE((decode<std::map<uint8_t, bool>>(from_hex("7fffffff0000"))));
}

TEST(Binary, OtherSpellingsAreRefused) {
  EXPECT_FALSE(decode<bool>(from_hex("02")));
  EXPECT_FALSE(decode<std::optional<bool>>(from_hex("0200")));
  EXPECT_FALSE(decode<Colour>(from_hex("03")));
  EXPECT_FALSE((decode<std::variant<bool, uint16_t>>(from_hex("0200"))));
  EXPECT_FALSE((decode<std::map<uint8_t, bool>>(from_hex("0000000202010100"))));
  EXPECT_FALSE((decode<std::map<uint8_t, bool>>(from_hex("0000000201010101"))));
  EXPECT_FALSE(decode<std::set<uint8_t>>(from_hex("000000020202")));
  EXPECT_FALSE(decode<uint8_t>(from_hex("0001")));
  EXPECT_FALSE(decode<uint8_t>({}));
}

TEST(Binary, ReaderReadsInPieces) {
  Writer writer;
  writer.put(uint16_t{3});
  writer.put_bytes(as_bytes("abc"));
  writer.raw(as_bytes("xyz"));
  const Bytes bytes = writer.take();
  EXPECT_TRUE(writer.bytes().empty());
  Reader reader(bytes);
  EXPECT_EQ(reader.get<uint16_t>(), 3);
  EXPECT_EQ(as_text(reader.get_bytes()), "abc");
  EXPECT_EQ(as_text(reader.rest()), "xyz");
  EXPECT_FALSE(reader.finish());
  EXPECT_TRUE(reader.status());
  EXPECT_EQ(as_text(reader.raw(3)), "xyz");
  EXPECT_TRUE(reader.finish());
  EXPECT_EQ(reader.get<uint32_t>(), 0u);
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.finish().error().code, ErrorCode::corrupted);
}

}  // namespace mizan::test
