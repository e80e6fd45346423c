#include "net/auth.hpp"

#include <gtest/gtest.h>

namespace mizan::net {
namespace {

constexpr UnixMs kNow{1'800'000'000'000};

class Auth : public testing::Test {
 protected:
  static Request request(const Signer& signer, std::string method, std::string target,
                         std::string body, std::string key = "", UnixMs now = kNow) {
    Request made;
    made.headers = signer.sign(method, target, body, key, now);
    made.method = std::move(method);
    made.target = std::move(target);
    made.body = std::move(body);
    return made;
  }
  static void set(Request& made, const std::string& name, const std::string& value) {
    for (auto& [key, old] : made.headers)
      if (key == name) old = value;
  }
  Error refused(const Request& made, UnixMs now = kNow) {
    auto account = authenticator_.check(made, made.body, now);
    EXPECT_FALSE(account);
    return account ? Error{} : account.error();
  }
  LoginProof login(const SecretKey& key, uint64_t valid_until) const {
    LoginProof proof;
    proof.login = {account_.address(), key.address(), kNow.seconds(), valid_until};
    proof.signature = eip712::sign(domain_, proof.login, account_);
    return proof;
  }

  const eip712::Domain domain_ = eip712::Domain::credits(Hash32{{1, 2, 3}});
  const SecretKey account_ = SecretKey::generate();
  const Signer signer_{domain_, account_.clone()};
  Authenticator authenticator_{domain_};
};

TEST_F(Auth, TakesASignedRequestOnce) {
  const Request made = request(signer_, "POST", "/v1/x?a=1", "{}", "key-1");
  EXPECT_EQ(authenticator_.check(made, made.body, kNow).value(), account_.address());
  EXPECT_EQ(refused(made).code, ErrorCode::replayed);
}

TEST_F(Auth, RefusesAnythingThatWasChanged) {
  const Request good = request(signer_, "POST", "/v1/x", "{}", "key-1");
  Request bad = good;
  bad.method = "PUT";
  EXPECT_EQ(refused(bad).code, ErrorCode::unauthenticated);
  bad = good;
  bad.target = "/v1/y";
  EXPECT_EQ(refused(bad).code, ErrorCode::unauthenticated);
  bad = good;
  bad.body = "{ }";
  EXPECT_EQ(refused(bad).code, ErrorCode::unauthenticated);
  for (const auto& [name, value] :
       Headers{{"Idempotency-Key", "key-2"},
               {"Mizan-Nonce", "1"},
               {"Mizan-Issued-At-Ms", std::to_string(kNow.ms + 1)},
               {"Mizan-Signature", "0x00"},
               {"Mizan-Signature", ""},
               {"Mizan-Account", "0x0000000000000000000000000000000000000001"},
               {"Mizan-Account", "me"},
               {"Mizan-Nonce", "-1"},
               {"Mizan-Nonce", ""}}) {
    bad = good;
    set(bad, name, value);
    EXPECT_EQ(refused(bad).code, ErrorCode::unauthenticated) << name << " " << value;
  }
  EXPECT_TRUE(authenticator_.check(good, good.body, kNow));  // none of these spent its nonce
}

TEST_F(Auth, RefusesOtherDomains) {
  const Signer other(eip712::Domain::credits(Hash32{{9}}), account_.clone());
  EXPECT_EQ(refused(request(other, "GET", "/", "")).code, ErrorCode::unauthenticated);
}

TEST_F(Auth, RefusesOldAndFutureRequests) {
  const Request made = request(signer_, "GET", "/v1/leases", "");
  EXPECT_EQ(refused(made, UnixMs{kNow.ms + 60'001}).code, ErrorCode::expired);
  EXPECT_EQ(refused(made, UnixMs{kNow.ms - 60'001}).code, ErrorCode::expired);
  EXPECT_TRUE(authenticator_.check(made, "", UnixMs{kNow.ms + 60'000}));
  EXPECT_EQ(refused(made, kNow).code, ErrorCode::replayed);  // also when the clock steps back
}

TEST_F(Auth, TakesALoginKey) {
  const SecretKey key = SecretKey::generate();
  const LoginProof proof = login(key, kNow.seconds() + 10);
  const Signer signer(domain_, key.clone(), proof);
  const Request made = request(signer, "GET", "/v1/leases", "");
  EXPECT_EQ(authenticator_.check(made, "", kNow).value(), account_.address());
  EXPECT_EQ(refused(request(signer, "GET", "/", "", "", UnixMs{kNow.ms + 10'000}),
                    UnixMs{kNow.ms + 10'000})
                .code,
            ErrorCode::expired);
}

TEST_F(Auth, RefusesForgedLogins) {
  const SecretKey key = SecretKey::generate();
  LoginProof proof = login(key, kNow.seconds() + 10);
  proof.signature = eip712::sign(domain_, proof.login, key);  // signed by itself
  EXPECT_EQ(refused(request(Signer(domain_, key.clone(), proof), "GET", "/", "")).code,
            ErrorCode::unauthenticated);
  proof = login(key, kNow.seconds() + 10);
  proof.login.valid_until += 1000;
  EXPECT_EQ(refused(request(Signer(domain_, key.clone(), proof), "GET", "/", "")).code,
            ErrorCode::unauthenticated);
  // The account's own signature under a login that names another key.
  Request made = request(signer_, "GET", "/", "");
  made.headers.emplace_back("Mizan-Login", encode_login(login(key, kNow.seconds() + 10)));
  EXPECT_EQ(refused(made).code, ErrorCode::unauthenticated);
  for (const char* header : {"", "!!!!", "e30=", "bnVsbA==", "eyJsb2dpbiI6MX0="}) {
    made = request(signer_, "GET", "/", "");
    made.headers.emplace_back("Mizan-Login", header);
    EXPECT_EQ(refused(made).code, ErrorCode::unauthenticated) << header;
  }
}

TEST_F(Auth, RemembersSoMuchAndTakesNothingTwice) {
  Authenticator small(domain_, {}, 2);
  const UnixMs now{kNow.ms + 2};
  const auto at = [this](uint64_t ms) {
    return request(signer_, "GET", "/", "", "", UnixMs{kNow.ms + ms});
  };
  const Request first = at(0), second = at(1), third = at(2);
  for (const Request* made : {&first, &second, &third})
    EXPECT_TRUE(small.check(*made, "", now)) << "a flood keeps nobody out";
  EXPECT_EQ(small.check(first, "", now).error().code, ErrorCode::expired) << "it is forgotten";
  EXPECT_EQ(small.check(at(0), "", now).error().code, ErrorCode::expired);
  EXPECT_EQ(small.check(second, "", now).error().code, ErrorCode::replayed);
  EXPECT_EQ(small.check(third, "", now).error().code, ErrorCode::replayed);
  const UnixMs later{kNow.ms + 200'000};
  EXPECT_TRUE(small.check(request(signer_, "GET", "/", "", "", later), "", later));
}

TEST_F(Auth, WhatWasSignedBeforeTheStartIsRefused) {
  const Request early = request(signer_, "GET", "/", "", "", UnixMs{kNow.ms - 1});
  const Request late = request(signer_, "GET", "/", "", "", kNow);
  ASSERT_TRUE(authenticator_.check(early, "", kNow));
  Authenticator restarted(domain_, kNow);
  const auto again = restarted.check(early, "", kNow);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::expired);
  EXPECT_EQ(again.error().details.at("timeMs"), std::to_string(kNow.ms));
  EXPECT_TRUE(restarted.check(late, "", kNow));
}

TEST_F(Auth, AFloodFromTheFutureKeepsOutNobodyOfThePresent) {
  Authenticator small(domain_, {}, 10);
  const Signer stranger(domain_, SecretKey::generate());
  const auto ask = [&](const Signer& who, uint64_t issued_ms, uint64_t now_ms) {
    return small.check(request(who, "GET", "/", "", "", UnixMs{issued_ms}), "", UnixMs{now_ms});
  };
  const uint64_t flood = kNow.ms + 59'000;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(ask(stranger, flood, kNow.ms));
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(ask(stranger, flood, kNow.ms).error().code, ErrorCode::expired);
  for (uint64_t now = kNow.ms; now < flood; now += 1'000) {
    EXPECT_TRUE(ask(signer_, now, now)) << now - kNow.ms;
    EXPECT_FALSE(ask(stranger, flood, now));
  }
  EXPECT_TRUE(ask(signer_, flood + 1'000, flood)) << "there is room for the future again";
}

}  // namespace
}  // namespace mizan::net
