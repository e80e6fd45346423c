#include "crypto/hash.hpp"

#include "crypto/address.hpp"
#include "crypto/random.hpp"

#include <gtest/gtest.h>

namespace mizan {

TEST(Hash, Keccak256KnownAnswers) {
  EXPECT_EQ(hex(keccak256("").view()),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  EXPECT_EQ(hex(keccak256("abc").view()),
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
  EXPECT_EQ(hex(keccak256("transfer(address,uint256)").view()).substr(0, 8), "a9059cbb");
}

TEST(Hash, Sha256KnownAnswersWholeAndInPieces) {
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(hex(sha256("abc").view()), abc);
  Sha256 hash;
  for (int round = 0; round < 2; ++round) {
    hash.update(as_bytes("a"));
    hash.update({});
    hash.update(as_bytes("bc"));
    EXPECT_EQ(hex(hash.finish().view()), abc);
  }
}

TEST(Address, Eip55Vectors) {
  for (const char* text :
       {"0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_checksum(*address), text);
    EXPECT_EQ(parse_address(hex0x(address->view())), address);
  }
}

TEST(Address, RefusesWrongChecksumAndShape) {
  EXPECT_FALSE(parse_address("0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"));
  EXPECT_FALSE(parse_address("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"));
  EXPECT_FALSE(parse_address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe"));
  EXPECT_FALSE(parse_address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg"));
  EXPECT_FALSE(parse_address(""));
}

TEST(Random, DiffersAndCompares) {
  const Bytes a = random_bytes(32);
  const Bytes b = random_bytes(32);
  EXPECT_NE(a, b);
  EXPECT_TRUE(constant_time_equal(a, a));
  EXPECT_FALSE(constant_time_equal(a, b));
  EXPECT_FALSE(constant_time_equal(a, ByteView(a).first(31)));
}

}  // namespace mizan
