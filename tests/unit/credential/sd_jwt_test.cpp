#include "credential/sd_jwt.hpp"

#include "credential/status_list.hpp"
#include "crypto/hash.hpp"

#include <gtest/gtest.h>

namespace mizan::credential {
namespace {

constexpr uint64_t kNow = 1'800'000'000;

class SdJwt : public ::testing::Test {
 protected:
  SdJwt() {
    what_.issuer = "https://issuer.example";
    what_.holder = public_key(holder_);
    what_.issued_at = kNow - 1000;
    what_.expires_at = kNow + 1000;
    what_.status_list = "https://issuer.example/status/1";
    what_.status_index = 13;
    what_.disclosed = {{"vct", "https://mizan.example/eligibility/1"}};
    what_.selective = {{"country", "SG"}, {"parent_hq", "SG"}, {"name", "A Person"}};
    demand_.issuers.emplace(what_.issuer, issuer_.public_key());
    demand_.audience = "0xexchange";
    demand_.nonce = "n-1";
    demand_.now = kNow;
  }

  Binding binding() const { return {demand_.audience, demand_.nonce, kNow - 1}; }
  std::string shown(const std::vector<std::string>& names = {"country"}) {
    return *present(issue(what_, issuer_), names, holder_, binding());
  }
  ErrorCode refused(std::string_view presentation) {
    auto result = verify(presentation, demand_);
    return result ? ErrorCode::internal : result.error().code;
  }

  IssuerKey issuer_ = IssuerKey::generate();
  SecretKey holder_ = SecretKey::generate();
  Issuance what_;
  Demand demand_;
};

TEST_F(SdJwt, ShowsWhatTheHolderChoseAndNothingElse) {
  const std::string presentation = shown();
  auto result = verify(presentation, demand_);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->holder, holder_.address());
  EXPECT_EQ(result->claims.at("country"), json::value("SG"));
  EXPECT_EQ(result->claims.at("vct"), json::value("https://mizan.example/eligibility/1"));
  EXPECT_FALSE(result->claims.contains("name"));
  EXPECT_FALSE(result->claims.contains("_sd"));
  ASSERT_EQ(result->disclosures.size(), 1U);
  EXPECT_EQ(result->disclosures[0].name, "country");
  EXPECT_EQ(result->status_index, 13U);
  // Not in clear, not in base64url at any of its three shifts: "A Person" is not in there at all.
  for (const char* spelled : {"A Person", "QSBQZXJzb2", "EgUGVyc29u", "BIFBlcnNvb"})
    EXPECT_EQ(presentation.find(spelled), std::string::npos);
}

TEST_F(SdJwt, NamesTheClaimThatItLacks) {
  auto result = present(issue(what_, issuer_), {"passport"}, holder_, binding());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::not_found);
  EXPECT_NE(result.error().message.find("passport"), std::string::npos);
}

TEST_F(SdJwt, RefusesEachFaultWithItsOwnCode) {
  const std::string good = shown();
  ASSERT_TRUE(verify(good, demand_));

  what_.expires_at = kNow;
  EXPECT_EQ(refused(shown()), ErrorCode::credential_expired);
  what_.expires_at = kNow + 1000;
  what_.issued_at = kNow + 100;
  EXPECT_EQ(refused(shown()), ErrorCode::credential_expired);
  what_.issued_at = kNow - 1000;

  const SecretKey thief = SecretKey::generate();
  EXPECT_EQ(refused(*present(issue(what_, issuer_), {"country"}, thief, binding())),
            ErrorCode::credential_wrong_holder);
  EXPECT_EQ(refused(issue(what_, issuer_)), ErrorCode::credential_wrong_holder);
  Binding other = binding();
  other.audience = "0xanother";
  EXPECT_EQ(refused(*present(issue(what_, issuer_), {}, holder_, other)),
            ErrorCode::credential_wrong_holder);

  other = binding();
  other.nonce = "n-0";
  EXPECT_EQ(refused(*present(issue(what_, issuer_), {}, holder_, other)), ErrorCode::replayed);
  other = binding();
  other.issued_at = kNow - 301;
  EXPECT_EQ(refused(*present(issue(what_, issuer_), {}, holder_, other)), ErrorCode::replayed);

  EXPECT_EQ(refused(*present(issue(what_, IssuerKey::generate()), {}, holder_, binding())),
            ErrorCode::credential_tampered);
  what_.issuer = "https://another.example";
  EXPECT_EQ(refused(shown()), ErrorCode::credential_issuer);
}

TEST_F(SdJwt, RefusesATamperedDisclosure) {
  const std::string credential = issue(what_, issuer_);
  const size_t first = credential.find('~');
  const size_t second = credential.find('~', first + 1);
  const std::string forged = base64url(as_bytes(R"(["c2FsdHNhbHRzYWx0c2FsdA","country","US"])"));
  const std::string swapped = credential.substr(0, first + 1) + forged + credential.substr(second);
  EXPECT_EQ(refused(*present(swapped, {"country"}, holder_, binding())),
            ErrorCode::credential_tampered);
}

TEST_F(SdJwt, RefusesADisclosureTakenAwayAfterItsBinding) {
  const std::string two = shown({"country", "parent_hq"});
  const size_t first = two.find('~');
  EXPECT_EQ(refused(two.substr(0, first) + two.substr(two.find('~', first + 1))),
            ErrorCode::credential_tampered);
}

TEST_F(SdJwt, RefusesASwappedAlgorithm) {
  const std::string good = shown();
  const std::string rest = good.substr(good.find('.'));
  for (const char* header :
       {R"({"alg":"none","typ":"dc+sd-jwt"})", R"({"alg":"HS256","typ":"dc+sd-jwt"})",
        R"({"alg":"ES256K","typ":"dc+sd-jwt"})", R"({"typ":"dc+sd-jwt"})",
        R"({"alg":"ES256","typ":"dc+sd-jwt","crit":["x"]})"})
    EXPECT_EQ(refused(base64url(as_bytes(header)) + rest), ErrorCode::credential_algorithm)
        << header;
  EXPECT_EQ(refused(base64url(as_bytes(R"({"alg":"ES256","typ":"kb+jwt"})")) + rest),
            ErrorCode::credential_malformed);
}

TEST_F(SdJwt, EveryFlippedCharacterIsRefused) {
  const std::string good = shown();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(verify(bad, demand_)) << "at " << i;
  }
}

TEST_F(SdJwt, EveryPrefixIsRefused) {
  const std::string good = shown();
  for (size_t i = 0; i < good.size(); ++i)
    EXPECT_FALSE(verify(std::string_view(good).substr(0, i), demand_)) << "at " << i;
}

TEST_F(SdJwt, RefusesAClaimThatWouldOverwriteAnother) {
  what_.disclosed["country"] = "SG";
  EXPECT_EQ(refused(shown()), ErrorCode::credential_malformed);
}

// The digests of two disclosures that RFC 9901 prints in sections 4.2.3 and 4.2.4.2.
TEST(SdJwtDigest, IsTheOneOfTheStandard) {
  EXPECT_EQ(base64url(sha256("WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVz"
                             "Il0")
                          .view()),
            "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
  EXPECT_EQ(base64url(sha256("WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIkZSIl0").view()),
            "w0I8EKcdCtUPkGCNUrfwVp2xEgNjtoIDlOxc9-PlOhs");
}

TEST(StatusList, RevokesOneCredentialAlone) {
  const IssuerKey key = IssuerKey::generate();
  StatusList list("https://issuer.example/status/1", 1000);
  ASSERT_TRUE(list.revoke(13));
  EXPECT_FALSE(list.revoke(1000));
  const std::string token = list.sign(key, kNow, kNow + 60);
  auto read = StatusList::parse(token, list.uri(), key.public_key(), kNow + 1);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->check(13).error().code, ErrorCode::credential_revoked);
  EXPECT_TRUE(read->check(12));
  EXPECT_TRUE(read->check(14));
  EXPECT_EQ(read->check(100'000).error().code, ErrorCode::credential_malformed);
  EXPECT_EQ(StatusList::parse(token, list.uri(), key.public_key(), kNow + 60).error().code,
            ErrorCode::credential_expired);
  EXPECT_EQ(StatusList::parse(token, "https://other.example", key.public_key(), kNow).error().code,
            ErrorCode::credential_malformed);
  EXPECT_EQ(
      StatusList::parse(token, list.uri(), IssuerKey::generate().public_key(), kNow).error().code,
      ErrorCode::credential_tampered);
}

TEST(Base64url, HasOneSpellingAValue) {
  EXPECT_EQ(base64url(as_bytes("a")), "YQ");
  EXPECT_EQ(as_text(*parse_base64url("YWJj")), "abc");
  for (const char* bad : {"YR", "Y", "YQ==", "Y Q", "YQ\n", "a+b/"})
    EXPECT_FALSE(parse_base64url(bad)) << bad;
}

TEST(Jwk, RefusesPrivateKeysAndPointsOffTheCurve) {
  const IssuerKey key = IssuerKey::generate();
  json::object jwk = to_jwk(key.public_key());
  EXPECT_EQ(*parse_jwk(jwk, "jwk"), VerifyKey(key.public_key()));
  jwk["d"] = "AAAA";
  EXPECT_NE(parse_jwk(jwk, "jwk").error().message.find("private"), std::string::npos);
  jwk.erase("d");
  jwk["y"] = jwk["x"];
  EXPECT_FALSE(parse_jwk(jwk, "jwk"));
  jwk["crv"] = "secp256k1";
  EXPECT_FALSE(parse_jwk(jwk, "jwk"));
}

TEST(IssuerKey, ComesBackFromItsPem) {
  const IssuerKey key = IssuerKey::generate();
  EXPECT_EQ(IssuerKey::from_pem(key.to_pem())->public_key(), key.public_key());
  EXPECT_FALSE(IssuerKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"));
}

}  // namespace
}  // namespace mizan::credential
