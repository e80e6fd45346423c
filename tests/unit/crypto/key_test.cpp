#include "crypto/key.hpp"

#include "crypto/address.hpp"
#include "crypto/hash.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace mizan {
namespace {

constexpr std::string_view kOrder =
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

// n - s, big-endian.
void flip_s(Signature& signature) {
  const Bytes order = *parse_hex(kOrder);
  int borrow = 0;
  for (size_t i = 32; i-- > 0;) {
    int digit = order[i] - signature.bytes[32 + i] - borrow;
    borrow = digit < 0 ? 1 : 0;
    signature.bytes[32 + i] = static_cast<uint8_t>(digit + 256 * borrow);
  }
  signature.bytes[64] ^= 27 ^ 28;
}

}  // namespace

TEST(Key, KnownAddresses) {
  const auto one = SecretKey::from_bytes(
      *parse_hex("0000000000000000000000000000000000000000000000000000000000000001"));
  EXPECT_EQ(to_checksum(one->address()), "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
  const auto anvil = SecretKey::from_bytes(
      *parse_hex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
  EXPECT_EQ(to_checksum(anvil->address()), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
}

// EIP-155's example: the hash to sign and the signature of key 0x4646...46.
TEST(Key, KnownSignature) {
  const auto key = SecretKey::from_bytes(Bytes(32, 0x46));
  const auto digest =
      parse_fixed<Hash32>("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
  const Signature signature = key->sign(*digest);
  EXPECT_EQ(hex(signature.view()),
            "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
            "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d831b");
  EXPECT_EQ(recover(*digest, signature), Result<Address>(key->address()));
}

TEST(Key, RefusesKeysOutOfRange) {
  EXPECT_FALSE(SecretKey::from_bytes(Bytes(32, 0)));
  EXPECT_FALSE(SecretKey::from_bytes(Bytes(31, 1)));
  EXPECT_FALSE(SecretKey::from_bytes(*parse_hex(kOrder)));
  EXPECT_FALSE(SecretKey::from_bytes(Bytes(32, 0xff)));
}

TEST(Key, RefusesMalleableAndMalformedSignatures) {
  const SecretKey key = SecretKey::generate();
  const Hash32 digest = keccak256("message");
  const Signature good = key.sign(digest);
  ASSERT_EQ(recover(digest, good), Result<Address>(key.address()));

  Signature high = good;
  flip_s(high);
  EXPECT_EQ(recover(digest, high).error().code, ErrorCode::unauthenticated);
  for (const int v : {0, 1, 26, 29, 30, 31, 255}) {
    Signature bad = good;
    bad.bytes[64] = static_cast<uint8_t>(v);
    EXPECT_FALSE(recover(digest, bad)) << v;
  }
  Signature zero{};
  zero.bytes[64] = 27;
  EXPECT_FALSE(recover(digest, zero));
  Signature no_s = good;
  std::fill(no_s.bytes.begin() + 32, no_s.bytes.end() - 1, uint8_t{0});
  EXPECT_FALSE(recover(digest, no_s));
  Signature large = good;
  std::fill(large.bytes.begin(), large.bytes.begin() + 32, uint8_t{0xff});
  EXPECT_FALSE(recover(digest, large));
}

TEST(Key, AnotherMessageIsAnotherSigner) {
  const SecretKey key = SecretKey::generate();
  const Signature signature = key.sign(keccak256("message"));
  EXPECT_NE(recover(keccak256("other"), signature), Result<Address>(key.address()));
}

TEST(Key, MovesAndClonesButNeverCopies) {
  static_assert(!std::is_copy_constructible_v<SecretKey> && !std::is_copy_assignable_v<SecretKey>);
  SecretKey key = SecretKey::generate();
  const Address address = key.address();
  const SecretKey copy = key.clone();
  const SecretKey moved = std::move(key);
  EXPECT_EQ(copy.sign(keccak256("m")), moved.sign(keccak256("m")));
  EXPECT_EQ(moved.address(), address);
}

}  // namespace mizan
