#include "codec/json.hpp"

#include "codec/json_fields.hpp"
#include "codec/nearest.hpp"
#include "crypto/address.hpp"
#include "crypto/hash.hpp"
#include "samples.hpp"
#include "support/seed.hpp"

#include <gtest/gtest.h>

namespace mizan::test {
namespace {

ErrorCode refusal(std::string_view text, const JsonLimits& limits = {}) {
  const auto value = parse_json(text, limits);
  return value ? ErrorCode::internal : value.error().code;
}

template <class Message>
void json_round_trip(Filler& filler) {
  Message message{};
  filler.fill(message);
  const auto parsed = parse_json(json_text(to_json(message)));
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto back = from_json<Message>(*parsed, "message");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, message);
}

std::string fault(const Result<eip712::Voucher>& result) {
  return result ? "none" : result.error().message;
}

}  // namespace

TEST(Json, ParsesWithinLimits) {
  EXPECT_TRUE(
      parse_json(R"( {"a": [1, -2, true, null, "x\u00e9"], "b": {"a": 18446744073709551615}} )"));
  EXPECT_EQ(refusal(R"({"a":1,"b":{"a":1},"a":2})"), ErrorCode::invalid_argument);
  EXPECT_EQ(refusal(R"([{"k":1},{"k":1,"\u006b":2}])"), ErrorCode::invalid_argument);
  EXPECT_TRUE(parse_json(R"([{"k":1},{"k":1}])"));
  for (const char* bad : {"", "{", "[1,]", "{}x", "1 2", "nul", "{\"a\" 1}", "'a'", "01",
                          "\"\x01\"", "\"\xff\"", "{\"a\":1,}", "// c\n1", "NaN", "1.5", "1e3",
                          "18446744073709551616", "-9223372036854775809", "\"\\ud800\""})
    EXPECT_EQ(refusal(bad), ErrorCode::invalid_argument) << bad;
  EXPECT_TRUE(parse_json("1.5", {.allow_fractions = true}));
  EXPECT_FALSE(parse_json("1e400", {.allow_fractions = true})) << "infinity is no number";
  EXPECT_EQ(refusal("[1,2,3]", {.max_bytes = 6}), ErrorCode::too_large);
}

TEST(Json, DeepNestingIsRefused) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json(nested(16)));
  EXPECT_EQ(refusal(nested(17)), ErrorCode::too_large);
  EXPECT_EQ(refusal(std::string(1'000'000, '[')), ErrorCode::too_large);
}

TEST(Json, DuplicateKeyIsNamed) {
  const auto value = parse_json(R"({"rate":1,"rate":2})", {}, "the body");
  EXPECT_EQ(value.error().message,
            "the body is not valid at byte 15: the key \"rate\" comes twice");
}

TEST(Json, CanonicalTextIsOne) {
  const auto value = parse_json(
      R"( {"b":[1, {"z":null,"y":true}], "a":"\u0001\u00e9\/\"\\\n\u007f", "B":-7, "aa":18446744073709551615} )");
  ASSERT_TRUE(value);
  const std::string expected =
      "{\"B\":-7,\"a\":\"\\u0001\xc3\xa9/\\\"\\\\\\n\x7f\",\"aa\":18446744073709551615,"
      "\"b\":[1,{\"y\":true,\"z\":null}]}";
  EXPECT_EQ(canonical_json(*value), Result<std::string>(expected));
  EXPECT_EQ(canonical_json_hash(*value), Result<Hash32>(keccak256(expected)));
  EXPECT_EQ(canonical_json(*parse_json(expected)), Result<std::string>(expected));
  EXPECT_FALSE(canonical_json(*parse_json("[1.5]", {.allow_fractions = true})));
}

TEST(JsonFields, EveryMessageComesBack) {
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  Filler filler(seed);
  for (int i = 0; i < 50; ++i)
    [&]<class... Messages>(std::tuple<Messages...>*) {
      (json_round_trip<Messages>(filler), ...);
    }(static_cast<eip712::AllMessages*>(nullptr));
}

TEST(JsonFields, SpellsAmountsAsStringsAndIdsAsHex) {
  eip712::CancelBids cancel;
  cancel.owner = *parse_address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  cancel.word = 3;
  cancel.mask.bytes[31] = 1;
  cancel.max_relay_fee = ~u128{0};
  EXPECT_EQ(json_text(to_json(cancel)),
            "{\"owner\":\"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\",\"word\":3,"
            "\"mask\":\"0x0000000000000000000000000000000000000000000000000000000000000001\","
            "\"nonce\":0,\"deadline\":0,"
            "\"maxRelayFee\":\"340282366920938463463374607431768211455\"}");
}

TEST(JsonFields, ErrorsNameTheField) {
  const std::string id = hex0x(Hash32{}.view());
  const auto read = [](const std::string& text) {
    return from_json<eip712::Voucher>(*parse_json(text), "voucher");
  };
  EXPECT_TRUE(read(R"({"cumulative":"5","lease":")" + id + R"("})"));
  EXPECT_EQ(fault(read(R"({"cumulative":5,"lease":")" + id + R"("})")),
            "voucher.cumulative: expected an amount as a decimal string, got a number");
  EXPECT_EQ(fault(read(R"({"cumulative":"5"})")), "voucher.lease: is missing");
  EXPECT_EQ(fault(read(R"({"cumulative":"5","lease":"0x12"})")),
            "voucher.lease: expected 0x and 64 hex digits");
  EXPECT_EQ(fault(read("[]")), "voucher: expected an object, got an array");
  const auto typo = read(R"({"cumulatif":"5","lease":")" + id + R"("})");
  EXPECT_EQ(fault(typo), "voucher.cumulatif: unknown field; did you mean cumulative?");
  EXPECT_EQ(typo.error().code, ErrorCode::unknown_field);
  EXPECT_EQ(typo.error().details.at("nearest"), "cumulative");
  EXPECT_EQ(typo.error().details.at("field"), "voucher.cumulatif");
}

TEST(JsonFields, ErrorsNameThePlaceInALowerStruct) {
  auto value = to_json(eip712::Heartbeat{{}, 1, 2, {{}, {}}});
  value.at("leases").at(1).at("exitCode") = 1u << 31;
  const auto back = from_json<eip712::Heartbeat>(value, "heartbeat");
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().message,
            "heartbeat.leases[1].exitCode: expected a number from -2147483648 to 2147483647");
  EXPECT_EQ(back.error().details.at("field"), "heartbeat.leases[1].exitCode");
}

TEST(JsonFields, NumbersKeepTheirRange) {
  EXPECT_EQ(from_json<uint64_t>(*parse_json("18446744073709551615"), "n"),
            Result<uint64_t>(~uint64_t{0}));
  EXPECT_FALSE(from_json<uint64_t>(*parse_json("-1"), "n"));
  EXPECT_FALSE(from_json<uint8_t>(*parse_json("256"), "n"));
  EXPECT_FALSE(from_json<uint32_t>(*parse_json("\"1\""), "n"));
  EXPECT_EQ(from_json<int64_t>(*parse_json("-9223372036854775808"), "n"),
            Result<int64_t>(INT64_MIN));
  EXPECT_FALSE(from_json<int64_t>(*parse_json("9223372036854775808"), "n"));
  EXPECT_FALSE(from_json<bool>(*parse_json("1"), "n"));
  EXPECT_FALSE(from_json<Money>(*parse_json("\"-1\""), "n"));
  EXPECT_FALSE(from_json<Money>(*parse_json("\"340282366920938463463374607431768211456\""), "n"));
  EXPECT_FALSE(from_json<Hash32>(*parse_json("\"12\""), "n"));
  EXPECT_FALSE(from_json<Bytes>(*parse_json("\"0x123\""), "n"));
  EXPECT_FALSE(
      from_json<Address>(*parse_json("\"0xF39Fd6e51aad88F6F4ce6aB8827279cffFb92266\""), "n"));
}

TEST(JsonFields, OptionalMembersMayBeAbsentOrNull) {
  const auto value = parse_json(R"({"name":"n","note":null,"tags":{"a":1,"b":2}})");
  ObjectReader in(*value, "");
  std::string name;
  std::string note = "kept";
  std::optional<std::string> other = "cleared";
  std::map<std::string, uint32_t> tags;
  in.required("name", name);
  EXPECT_FALSE(in.optional("note", note));
  EXPECT_TRUE(in.optional("tags", tags));
  in.required("other", other);
  EXPECT_TRUE(in.finish());
  EXPECT_EQ(note, "kept");
  EXPECT_FALSE(other);
  EXPECT_EQ(tags.at("b"), 2u);
  in.refuse("name", "is taken");
  EXPECT_EQ(in.finish().error().message, "name: is taken");
}

TEST(Nearest, OffersWhatWasMeant) {
  const std::vector<std::string> keys{"maxSeconds", "maxRate", "image", "run"};
  EXPECT_EQ(nearest("max_seconds", keys), "maxSeconds");
  EXPECT_EQ(nearest("imgae", keys), "image");
  EXPECT_EQ(nearest("MaxRate", keys), "maxRate");
  EXPECT_EQ(nearest("rnu", keys), "run");
  EXPECT_EQ(nearest("entirely", keys), std::nullopt);
  EXPECT_EQ(nearest(std::string(100'000, 'x'), keys), std::nullopt);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
}

}  // namespace mizan::test
