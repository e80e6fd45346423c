#include "crypto/eip712.hpp"

#include "crypto/address.hpp"
#include "crypto/eip712_encoder.hpp"
#include "crypto/hash.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <type_traits>

namespace mizan::eip712 {
namespace {

// The example of EIP-712 itself (Example.sol), through the same encoder as Mizan's messages.
struct Person {
  static constexpr std::string_view kType = "Person(string name,address wallet)";
  std::string name;
  Address wallet;
  MIZAN_FIELDS(name, wallet)
};
Hash32 hash_struct(const Person& person) {
  return encode_and_hash(person);
}

struct Mail {
  static constexpr std::string_view kType =
      "Mail(Person from,Person to,string contents)Person(string name,address wallet)";
  Person from;
  Person to;
  std::string contents;
  MIZAN_FIELDS(from, to, contents)
};
Hash32 hash_struct(const Mail& mail) {
  return encode_and_hash(mail);
}

Mail example() {
  return {{"Cow", *parse_address("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826")},
          {"Bob", *parse_address("0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB")},
          "Hello, Bob!"};
}

Hash32 mail_separator() {
  Encoder encoder(keccak256(
      "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"));
  encoder.value(std::string("Ether Mail"));
  encoder.value(std::string("1"));
  encoder.value(1);
  encoder.value(*parse_address("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"));
  return encoder.finish();
}

}  // namespace

TEST(Eip712, TheStandardsOwnExample) {
  EXPECT_EQ(hex(keccak256(Mail::kType).view()),
            "a0cedeb2dc280ba39b857546d74f5549c3a1d7bdc2dd96bf881f76108e23dac2");
  EXPECT_EQ(hex(hash_struct(example()).view()),
            "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e");
  EXPECT_EQ(hex(mail_separator().view()),
            "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f");
  const Hash32 digest = typed_digest(mail_separator(), hash_struct(example()));
  EXPECT_EQ(hex(digest.view()), "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2");

  const auto key = SecretKey::from_bytes(keccak256("cow").view());
  ASSERT_TRUE(key);
  EXPECT_EQ(key->address(), example().from.wallet);
  EXPECT_EQ(hex(key->sign(digest).view()),
            "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
            "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c");
}

TEST(Eip712, TypesOfReferencedStructsAreAppended) {
  EXPECT_EQ(Heartbeat::kType,
            "Heartbeat(address provider,uint64 sequence,uint64 sentAtMs,LeaseStatus[] leases)"
            "LeaseStatus(bytes32 lease,uint8 phase,uint64 stagedMs,uint64 ranMs,int32 exitCode,"
            "string reason,bytes32 outputs)");
  EXPECT_EQ(Voucher::kType, "Voucher(bytes32 lease,uint128 cumulative)");
}

TEST(Eip712, NegativeNumbersAreSignExtended) {
  Encoder minus(Hash32{});
  minus.value(int32_t{-1});
  Bytes expected(64, 0xff);
  std::fill_n(expected.begin(), 32, uint8_t{0});  // the type hash
  EXPECT_EQ(minus.finish(), keccak256(expected));
}

TEST(Eip712, ArraysHashTheirElementsInOrder) {
  ClearanceBatch batch;
  const Hash32 none = hash_struct(batch);
  batch.leases = {keccak256("a"), keccak256("b")};
  const Hash32 ab = hash_struct(batch);
  std::swap(batch.leases[0], batch.leases[1]);
  EXPECT_NE(ab, none);
  EXPECT_NE(ab, hash_struct(batch));
}

// Known answers of another implementation of EIP-712, so that a change of any type's text, of the
// encoding or of the domain shows.
TEST(Eip712, KnownDigestsOfMizansMessages) {
  const auto buyer = *parse_address("0x1111111111111111111111111111111111111111");
  const auto meter = *parse_address("0x2222222222222222222222222222222222222222");
  Hash32 hash;
  hash.bytes.fill(0xab);
  const Domain credits = Domain::credits(hash);
  const Domain evm = Domain::evm(31337, meter);

  Bid bid;
  bid.buyer = buyer;
  bid.meter = meter;
  bid.max_rate = 694'444;
  bid.nodes = 2;
  bid.units_per_node = 8;
  bid.max_seconds = 3600;
  bid.earliest_start = 1;
  bid.latest_start = 2;
  bid.valid_until = 3;
  bid.all_or_none = true;
  bid.grace = 120;
  bid.max_total = (u128{1} << 127) + 5;
  bid.max_fee_bps = 100;
  bid.spec_hash = hash;
  bid.nonce = ~uint64_t{0};
  EXPECT_EQ(hex(digest(credits, bid).view()),
            "8102574582578cccc781d1abb9fe82abd2f3b879ce22756ee038eba6dfa33ffc");
  EXPECT_EQ(hex(digest(evm, bid).view()),
            "9df7e07d8f4b4837b5afb40e25629c3a363f55e45493a4e4bec345afee64b06a");

  const Heartbeat heartbeat{buyer, 7, 8, {{hash, 2, 1, 2, -9, "oom", hash}, {}}};
  EXPECT_EQ(hex(digest(credits, heartbeat).view()),
            "dcbceb2138521872651baf3dce7c94f4d92d7662a50231e1d8806b0f2cdfb870");

  CancelBids cancel{buyer, 3, {}, 4, 5, 6};
  cancel.mask.bytes.front() = 0x80;
  cancel.mask.bytes.back() = 1;
  EXPECT_EQ(hex(digest(evm, cancel).view()),
            "cd2316086c57bc885cd97adbf4bbd05a90b586d728a7b66ef73124de545b7daf");
}

TEST(Eip712, SignsAndRecoversInOneDomainAlone) {
  const SecretKey key = SecretKey::generate();
  const Domain here = Domain::credits(keccak256("exchange 1"));
  const Domain there = Domain::credits(keccak256("exchange 2"));
  const Domain chain = Domain::evm(31337, key.address());
  Bid bid;
  bid.buyer = key.address();
  bid.max_rate = 694'444;
  const Signature signature = sign(here, bid, key);
  EXPECT_TRUE(check_signer(here, bid, signature, key.address()));
  EXPECT_NE(recover(there, bid, signature), Result<Address>(key.address()));
  EXPECT_NE(recover(chain, bid, signature), Result<Address>(key.address()));
  bid.max_rate += 1;
  EXPECT_EQ(check_signer(here, bid, signature, key.address()).error().code,
            ErrorCode::unauthenticated);
}

namespace {

// Turns any field into another value, so that a field left out of a hash is found.
struct Change {
  size_t at;
  size_t index = 0;
  template <class T>
  void operator()(const char*, T& field) {
    if (index++ != at) return;
    if constexpr (requires { field.bytes; }) {
      field.bytes.back() ^= 1;
    } else if constexpr (std::is_same_v<T, std::string>) {
      field += "x";
    } else if constexpr (requires { field.emplace_back(); }) {
      field.emplace_back();
    } else if constexpr (std::is_same_v<T, bool>) {
      field = !field;
    } else {
      field = static_cast<T>(field + 1);
    }
  }
};

template <class Message>
void every_field_counts() {
  size_t count = 0;
  Message plain;
  Change none{~size_t{0}};
  Message::visit_fields(plain, none);
  count = none.index;
  EXPECT_GT(count, 0u);
  for (size_t i = 0; i < count; ++i) {
    Message changed;
    Message::visit_fields(changed, Change{i});
    EXPECT_FALSE(changed == plain) << Message::kName << " field " << i;
    EXPECT_NE(hash_struct(changed), hash_struct(plain)) << Message::kName << " field " << i;
  }
}

}  // namespace

TEST(Eip712, EveryFieldOfEveryMessageIsHashed) {
  [&]<class... Messages>(std::tuple<Messages...>*) {
    (every_field_counts<Messages>(), ...);
  }(static_cast<AllMessages*>(nullptr));
}

}  // namespace mizan::eip712
