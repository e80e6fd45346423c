#include "codec/json.hpp"
#include "crypto/address.hpp"
#include "crypto/hash.hpp"
#include "settlement/escrow_calls.hpp"
#include "settlement/escrow_errors.hpp"
#include "settlement/escrow_events.hpp"
#include "settlement/rlp.hpp"
#include "settlement/transaction.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

namespace mizan::settlement {
namespace {

SecretKey test_key() {
  return *SecretKey::from_bytes(Bytes(32, 0x46));
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) append(out, part);
  return out;
}

// The expected bytes of this file are what Foundry's cast 1.7.1 gives.
TEST(Rlp, IsThatOfCast) {
  const Bytes inner = rlp_list(joined({rlp_bytes(Bytes{0x12, 0x34}), rlp_list({})}));
  EXPECT_EQ(hex0x(rlp_list(joined({rlp_bytes({}), rlp_number(1), rlp_bytes(Bytes{0x7f}),
                                   rlp_bytes(Bytes{0x80}), rlp_bytes(Bytes{0}), inner}))),
            "0xcb80017f818000c4821234c0");
  const Bytes large = rlp_list(joined({rlp_bytes(Bytes(60, 0xab)), rlp_bytes(Bytes(300, 0xcd))}));
  EXPECT_EQ(hex0x(large).substr(0, 16), "0xf9016db83cabab");
  EXPECT_EQ(large.size(), 3U + 0x16d);
}

TEST(Rlp, NumbersHaveNoLeadingZeros) {
  EXPECT_EQ(hex0x(rlp_number(0)), "0x80");
  EXPECT_EQ(hex0x(rlp_number(127)), "0x7f");
  EXPECT_EQ(hex0x(rlp_number(128)), "0x8180");
  EXPECT_EQ(hex0x(rlp_number(u128{1} << 100)), "0x8d10000000000000000000000000");
}

TEST(Transaction, IsThatOfCast) {
  const SecretKey key = test_key();
  const Address to{std::array<uint8_t, 20>{0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35,
                                           0x35, 0x35, 0x35, 0x35, 0x35, 0x35, 0x35,
                                           0x35, 0x35, 0x35, 0x35, 0x35, 0x35}};
  const auto payment =
      sign({31337, 0, {2'000'000'000, 1}, 21'000, {to, 1'000'000'000'000'000'000, {}}}, key);
  EXPECT_EQ(hex0x(payment.raw),
            "0x02f870827a6980018477359400825208943535353535353535353535353535353535353535880de0b6b3"
            "a764000080c001a01576e5fc8ff7fb8285067d60ad728a2bb7591d93c1f9d73f21227e5ce0ddc421a01233"
            "aec8f6f64fda5d91ced383baca710e459d13f45ee3bb3fde7cf939e33bcd");
  const auto call = sign(
      {1, 300, {30'000'000'007, 2'000'000'000}, 123'456, {to, 0, escrow::deposit(123'456'789)}},
      key);
  EXPECT_EQ(hex0x(call.raw),
            "0x02f8920182012c84773594008506fc23ac078301e2409435353535353535353535353535353535353535"
            "3580a4b6b55f2500000000000000000000000000000000000000000000000000000000075bcd15c080a0ee"
            "b688f1b978513352a7dfd6ed5a582a49d7998b1378a09ecfde31f10ea64faaa0521dd0b195bdc4d1339463"
            "cfee5cd63f144f4b07897b2ee3700b6fa1798d3f5b");
  const auto creation =
      sign({1, 7, {30'000'000'007, 0}, 1'234'567, {{}, 0, *parse_hex("6001600101")}}, key);
  EXPECT_EQ(hex0x(creation.raw),
            "0x02f8590107808506fc23ac078312d6878080856001600101c080a0672ae6755f71680d62aab707cf1a59"
            "7bcf6c0551986d585081e7c6d2e50a906ba044ae63a4320596e68c224abd99045fa9fb2c264662488cc012"
            "71a165d20d1275");
  EXPECT_EQ(creation.hash, keccak256(creation.raw));
}

TEST(Transaction, ContractsGetTheAddressThatCastSays) {
  EXPECT_EQ(to_checksum(created_by(test_key().address(), 0)),
            "0x72665d3e94Cb4f374b7728F1ab21A3115C4D50Eb");
  EXPECT_EQ(to_checksum(created_by(test_key().address(), 300)),
            "0xa65e5EBF708124261D0b62a954fEBCfD85b69a40");
}

TEST(AbiReader, RefusesWhatIsNoValue) {
  Bytes words(64, 0);
  words[0] = 1;
  for (const auto read : std::initializer_list<void (*)(AbiReader&)>{
           [](AbiReader& in) { in.address(); }, [](AbiReader& in) { in.number(); },
           [](AbiReader& in) { in.number64(); }, [](AbiReader& in) { in.flag(); }}) {
    AbiReader in(words);
    read(in);
    in.hash();
    EXPECT_FALSE(in.finish());
  }
  AbiReader left(words);
  left.hash();
  EXPECT_FALSE(left.finish()) << "a word is left";
  AbiReader missing(ByteView(words).first(63));
  missing.hash();
  missing.hash();
  EXPECT_FALSE(missing.finish());
  words[63] = 2;
  AbiReader flag(ByteView(words).subspan(32));
  flag.flag();
  EXPECT_FALSE(flag.finish()) << "2 is no bool";
}

TEST(Revert, OfTheContractIsASentence) {
  const auto decode = [](std::string_view error) {
    const Selector bytes = selector(error);
    return decode_revert(ByteView(bytes));
  };
  EXPECT_EQ(decode("BelowMinPaid()").message, "the provider would get less than minPaid");
  EXPECT_EQ(decode("InsufficientBalance()").code, ErrorCode::insufficient_funds);
  EXPECT_EQ(decode("BidNonceSpent()").details.at("revert"), "BidNonceSpent");
  EXPECT_EQ(decode("SomebodyElses()").code, ErrorCode::conflict);
  EXPECT_EQ(decode_revert(ByteView{}).code, ErrorCode::conflict);
}

/// Of the contract, as its artifact has them: a buyer is never shown a bare name or selector.
TEST(Revert, EveryErrorOfTheContractHasASentenceAndACode) {
  const std::string path = MIZAN_SOURCE_DIR "/contracts/artifacts/ComputeEscrow.json";
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto artifact = parse_json(text, {.max_bytes = 4 << 20});
  ASSERT_TRUE(artifact) << path;
  size_t errors = 0;
  for (const json::value& item : artifact->at("abi").as_array()) {
    if (item.at("type") != "error") continue;
    ++errors;
    const std::string name(item.at("name").get_string());
    ASSERT_TRUE(item.at("inputs").as_array().empty()) << name;
    const Selector bytes = selector(name + "()");
    const Error error = decode_revert(ByteView(bytes));
    ASSERT_TRUE(error.details.contains("revert"));
    EXPECT_EQ(error.details.at("revert"), name) << error.message;
    EXPECT_EQ(error.message.find("0x"), std::string::npos) << error.message;
    const std::string code = revert_code(error.message);
    EXPECT_NE(code, "") << name << ": or two have the same sentence";
    EXPECT_EQ(revert_sentence(code), error.message);
  }
  EXPECT_GT(errors, 25U);
  EXPECT_EQ(revert_sentence("completed"), "");
}

TEST(Revert, HasACodeForTheLeaseThatDidNotOpen) {
  for (const auto& [error, code] :
       std::map<std::string, std::string>{{"BidNonceSpent()", "bid_nonce_spent"},
                                          {"InsufficientBalance()", "insufficient_balance"},
                                          {"TooLate()", "too_late"},
                                          {"SomebodyElses()", ""}}) {
    const Selector bytes = selector(error);
    EXPECT_EQ(revert_code(decode_revert(ByteView(bytes)).message), code);
  }
}

TEST(Revert, PlainReasonsAndPanicsAreShown) {
  // Error("too bad\n")
  const Bytes reason =
      AbiTuple().tail(abi_bytes(as_bytes("too bad\n"))).call(selector("Error(string)"));
  EXPECT_NE(decode_revert(reason).message.find("too bad"), std::string::npos);
  EXPECT_EQ(decode_revert(reason).message.find('\n'), std::string::npos);
  const Bytes panic = AbiTuple().word(uint64_t{0x11}).call(selector("Panic(uint256)"));
  EXPECT_NE(decode_revert(panic).message.find("panic 0x11"), std::string::npos);
  EXPECT_NE(decode_revert(ByteView(reason).first(5)).message, "");
}

TEST(Batch, AnswersWithAFaultForEachItem) {
  const Selector fault = selector("NotOpen()");
  Hash32 word;
  std::copy(fault.begin(), fault.end(), word.bytes.begin());
  const auto answer = [&word](uint64_t at, uint64_t count) {
    return AbiTuple().word(at).word(count).word(Hash32{}).word(word).encode();
  };
  EXPECT_EQ(escrow::faults_of(answer(32, 2), 2), (std::vector<Selector>{{}, fault}));
  EXPECT_FALSE(escrow::faults_of(answer(64, 2), 2));
  EXPECT_FALSE(escrow::faults_of(answer(32, 3), 2));
  EXPECT_FALSE(escrow::faults_of(answer(32, 3), 3)) << "less than it says";
  EXPECT_FALSE(escrow::faults_of(answer(32, 1), 1)) << "more than it says";
  EXPECT_FALSE(escrow::faults_of(Bytes{}, 1));
  word.bytes[31] = 1;
  EXPECT_FALSE(escrow::faults_of(answer(32, 2), 2)) << "padded with something";
}

TEST(Event, OfAnotherContractIsRefused) {
  Log log;
  EXPECT_FALSE(read_event(log)) << "no topic";
  log.topics = {keccak256("Opened(bytes32,uint256)"), Hash32{}};
  log.data = Bytes(32, 0);
  EXPECT_TRUE(read_event(log));
  log.data = Bytes(33, 0);
  EXPECT_FALSE(read_event(log)) << "a byte too many";
  log.data = Bytes(32, 0xff);
  EXPECT_FALSE(read_event(log)) << "more than any token has";
  log.data = Bytes(32, 0);
  log.topics.pop_back();
  EXPECT_FALSE(read_event(log)) << "a topic too few";
}

}  // namespace
}  // namespace mizan::settlement
