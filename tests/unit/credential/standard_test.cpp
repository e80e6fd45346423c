#include "credential/sd_jwt.hpp"

#include <gtest/gtest.h>

// The example of RFC 9901: the SD-JWT of section 5.1, the SD-JWT+KB of section 5.2, and the
// issuer's key of appendix A.5.
namespace mizan::credential {
namespace {

constexpr std::string_view kJwt =
    "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogImV4YW1wbGUrc2Qtand0In0.eyJfc2QiOiBbIkNyUWU3UzVrcUJBSHQt"
    "bk1ZWGdjNmJkdDJTSDVhVFkxc1VfTS1QZ2tqUEkiLCAiSnpZakg0c3ZsaUgwUjNQeUVNZmVadTZKdDY5dTVxZWha"
    "bzdGN0VQWWxTRSIsICJQb3JGYnBLdVZ1Nnh5bUphZ3ZrRnNGWEFiUm9jMkpHbEFVQTJCQTRvN2NJIiwgIlRHZjRv"
    "TGJnd2Q1SlFhSHlLVlFaVTlVZEdFMHc1cnREc3JaemZVYW9tTG8iLCAiWFFfM2tQS3QxWHlYN0tBTmtxVlI2eVoy"
    "VmE1TnJQSXZQWWJ5TXZSS0JNTSIsICJYekZyendzY002R242Q0pEYzZ2Vks4QmtNbmZHOHZPU0tmcFBJWmRBZmRF"
    "IiwgImdiT3NJNEVkcTJ4Mkt3LXc1d1BFemFrb2I5aFYxY1JEMEFUTjNvUUw5Sk0iLCAianN1OXlWdWx3UVFsaEZs"
    "TV8zSmx6TWFTRnpnbGhRRzBEcGZheVF3TFVLNCJdLCAiaXNzIjogImh0dHBzOi8vaXNzdWVyLmV4YW1wbGUuY29t"
    "IiwgImlhdCI6IDE2ODMwMDAwMDAsICJleHAiOiAxODgzMDAwMDAwLCAic3ViIjogInVzZXJfNDIiLCAibmF0aW9u"
    "YWxpdGllcyI6IFt7Ii4uLiI6ICJwRm5kamtaX1ZDem15VGE2VWpsWm8zZGgta284YUlLUWM5RGxHemhhVllvIn0s"
    "IHsiLi4uIjogIjdDZjZKa1B1ZHJ5M2xjYndIZ2VaOGtoQXYxVTFPU2xlclAwVmtCSnJXWjAifV0sICJfc2RfYWxn"
    "IjogInNoYS0yNTYiLCAiY25mIjogeyJqd2siOiB7Imt0eSI6ICJFQyIsICJjcnYiOiAiUC0yNTYiLCAieCI6ICJU"
    "Q0FFUjE5WnZ1M09IRjRqNFc0dmZTVm9ISVAxSUxpbERsczd2Q2VHZW1jIiwgInkiOiAiWnhqaVdXYlpNUUdIVldL"
    "VlE0aGJTSWlyc1ZmdWVjQ0U2dDRqVDlGMkhaUSJ9fX0.MczwjBFGtzf-6WMT-hIvYbkb11NrV1WMO-jTijpMPNbs"
    "wNzZ87wY2uHz-CXo6R04b7jYrpj9mNRAvVssXou1iw";
constexpr std::string_view kGivenName =
    "WyIyR0xDNDJzS1F2ZUNmR2ZyeU5STjl3IiwgImdpdmVuX25hbWUiLCAiSm9obiJd";
constexpr std::string_view kFamilyName =
    "WyJlbHVWNU9nM2dTTklJOEVZbnN4QV9BIiwgImZhbWlseV9uYW1lIiwgIkRvZSJd";
constexpr std::string_view kEmail =
    "WyI2SWo3dE0tYTVpVlBHYm9TNXRtdlZBIiwgImVtYWlsIiwgImpvaG5kb2VAZXhhbXBsZS5jb20iXQ";
constexpr std::string_view kPhone =
    "WyJlSThaV205UW5LUHBOUGVOZW5IZGhRIiwgInBob25lX251bWJlciIsICIrMS0yMDItNTU1LTAxMDEiXQ";
constexpr std::string_view kPhoneVerified =
    "WyJRZ19PNjR6cUF4ZTQxMmExMDhpcm9BIiwgInBob25lX251bWJlcl92ZXJpZmllZCIsIHRydWVd";
constexpr std::string_view kAddress =
    "WyJBSngtMDk1VlBycFR0TjRRTU9xUk9BIiwgImFkZHJlc3MiLCB7InN0cmVldF9hZGRyZXNzIjogIjEyMyBNYWlu"
    "IFN0IiwgImxvY2FsaXR5IjogIkFueXRvd24iLCAicmVnaW9uIjogIkFueXN0YXRlIiwgImNvdW50cnkiOiAiVVMi"
    "fV0";
constexpr std::string_view kBirthdate =
    "WyJQYzMzSk0yTGNoY1VfbEhnZ3ZfdWZRIiwgImJpcnRoZGF0ZSIsICIxOTQwLTAxLTAxIl0";
constexpr std::string_view kUpdatedAt =
    "WyJHMDJOU3JRZmpGWFE3SW8wOXN5YWpBIiwgInVwZGF0ZWRfYXQiLCAxNTcwMDAwMDAwXQ";
constexpr std::string_view kFirstNationality = "WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIlVTIl0";
constexpr std::string_view kSecondNationality = "WyJuUHVvUW5rUkZxM0JJZUFtN0FuWEZBIiwgIkRFIl0";
constexpr std::string_view kBinding =
    "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogImtiK2p3dCJ9.eyJub25jZSI6ICIxMjM0NTY3ODkwIiwgImF1ZCI6ICJ"
    "odHRwczovL3ZlcmlmaWVyLmV4YW1wbGUub3JnIiwgImlhdCI6IDE3NDg1MzcyNDQsICJzZF9oYXNoIjogIjBfQWY"
    "tMkItRWhMV1g1eWRoX3cyeHp3bU82aU02NkJfMlFDRWFuSTRmVVkifQ.T3SIus2OidNl41nmVkTZVCKKhOAX97aO"
    "ldMyHFiYjHm261eLiJ1YiuONFiMN8QlCmYzDlBLAdPvrXh52KaLgUQ";
constexpr std::string_view kIssuerJwk =
    R"({"kty":"EC","crv":"P-256","x":"b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ",)"
    R"("y":"Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8"})";
constexpr std::string_view kHolderJwk =
    R"({"kty":"EC","crv":"P-256","x":"TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc",)"
    R"("y":"ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ"})";
constexpr std::string_view kType = "example+sd-jwt";
constexpr uint64_t kShownAt = 1'748'537'244;

std::string joined(const std::vector<std::string_view>& parts) {
  std::string text;
  for (const auto part : parts) text += std::string(part) + "~";
  return text;
}

/// Section 5.2: family name, address, given name and one nationality.
std::string presentation() {
  return joined({kJwt, kFamilyName, kAddress, kGivenName, kFirstNationality}) +
         std::string(kBinding);
}

class Standard : public ::testing::Test {
 protected:
  Standard() {
    demand_.issuers.emplace("https://issuer.example.com", key(kIssuerJwk));
    demand_.audience = "https://verifier.example.org";
    demand_.nonce = "1234567890";
    demand_.now = kShownAt + 1;
  }

  static VerifyKey key(std::string_view jwk) {
    return *parse_jwk(*parse_json(jwk, {}, "the key"), "the key");
  }
  ErrorCode refused(const std::string& text) {
    auto result = process(text, demand_, kType);
    return result ? ErrorCode::internal : result.error().code;
  }

  Demand demand_;
};

TEST_F(Standard, SignatureOfTheIssuerHolds) {
  auto jws = parse_jws(kJwt);
  ASSERT_TRUE(jws) << jws.error().message;
  EXPECT_TRUE(verify_jws(*jws, key(kIssuerJwk), kType));
  EXPECT_EQ(verify_jws(*jws, key(kHolderJwk), kType).error().code, ErrorCode::credential_tampered);
}

TEST_F(Standard, NamesWhatTheHolderCanShow) {
  auto names =
      selectable(joined({kJwt, kGivenName, kFamilyName, kEmail, kPhone, kPhoneVerified, kAddress,
                         kBirthdate, kUpdatedAt, kFirstNationality, kSecondNationality}));
  ASSERT_TRUE(names) << names.error().message;
  EXPECT_EQ(*names, (std::vector<std::string>{"given_name", "family_name", "email", "phone_number",
                                              "phone_number_verified", "address", "birthdate",
                                              "updated_at", "", ""}));
}

// The processed payload that section 5.2 prints.
TEST_F(Standard, PresentationGivesThePayloadThatItPrints) {
  auto result = process(presentation(), demand_, kType);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->issuer, "https://issuer.example.com");
  EXPECT_EQ(result->holder, key(kHolderJwk));
  EXPECT_EQ(result->issued_at, 1'683'000'000U);
  EXPECT_EQ(result->expires_at, 1'883'000'000U);
  const json::value wanted = *parse_json(
      R"({"iss":"https://issuer.example.com","iat":1683000000,"exp":1883000000,"sub":"user_42",)"
      R"("nationalities":["US"],"cnf":{"jwk":)" +
          std::string(kHolderJwk) +
          R"(},"family_name":"Doe","address":{"street_address":"123 Main St","locality":"Anytown",)"
          R"("region":"Anystate","country":"US"},"given_name":"John"})",
      {}, "the payload");
  EXPECT_EQ(json::value(result->claims), wanted);
  EXPECT_EQ(result->disclosures.size(), 4U);
}

TEST_F(Standard, RefusesWhatIsNotTheExample) {
  EXPECT_EQ(refused(joined({kJwt, kAddress, kFamilyName, kGivenName, kFirstNationality}) +
                    std::string(kBinding)),
            ErrorCode::credential_tampered);  // sd_hash covers the order too
  EXPECT_EQ(refused(joined({kJwt, kFamilyName})), ErrorCode::credential_wrong_holder);
  EXPECT_EQ(refused(joined({kJwt, "WyJkdW1teXNhbHQiLCAiZm9vIiwgImJhciJd"}) + std::string(kBinding)),
            ErrorCode::credential_tampered);
  EXPECT_EQ(refused(joined({kJwt, kGivenName, kGivenName}) + std::string(kBinding)),
            ErrorCode::credential_malformed);
  demand_.nonce = "1234567891";
  EXPECT_EQ(refused(presentation()), ErrorCode::replayed);
  demand_.nonce = "1234567890";
  demand_.audience = "https://another.example.org";
  EXPECT_EQ(refused(presentation()), ErrorCode::credential_wrong_holder);
}

// A party's key is of secp256k1, and its credential is not an example.
TEST_F(Standard, IsNoCredentialOfAParty) {
  EXPECT_EQ(verify(presentation(), demand_).error().code, ErrorCode::credential_malformed);
}

}  // namespace
}  // namespace mizan::credential
