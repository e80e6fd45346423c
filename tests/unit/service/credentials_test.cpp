// Credentials through the API: what is taken of them, and why others are refused.
#include "service/policy_world.hpp"

namespace mizan::service {
namespace {

using credential::IssuerKey;
using credential::StatusList;

constexpr const char* kList = "https://issuer.example/status/1";

class Credentials : public testing::Test {
 public:
  void expect_refused(const Answered& answer, unsigned status, const char* code,
                      const char* field = "") {
    EXPECT_EQ(answer.status, status) << answer.raw;
    EXPECT_EQ(answer.code(), code) << answer.raw;
    if (*field == 0) return;
    const json::value* found = answer.body.at("details").as_object().if_contains("field");
    ASSERT_TRUE(found) << answer.raw;
    EXPECT_EQ(*found, field);
  }
  /// A claim that is not as it should be.
  void expect_malformed(const char* name, const json::value& value) {
    world.clock.pass(10'000);
    json::object claims = PolicyWorld::claims();
    claims[name] = value;
    expect_refused(world.prove(world.buyer, claims), 400, "credential_malformed",
                   ("claims." + std::string(name)).c_str());
  }
  std::string present(const credential::Issuance& what, const IssuerKey& key,
                      const credential::Binding& binding) {
    return credential::present(credential::issue(what, key),
                               PolicyWorld::names(PolicyWorld::claims()), world.buyer, binding)
        .value();
  }
  credential::Issuance good() { return world.issuance(world.buyer, PolicyWorld::claims()); }

  PolicyWorld world;
};

TEST_F(Credentials, ProveFactsThatTheJournalKeeps) {
  json::object claims = PolicyWorld::claims("DE");
  claims["group_id"] = "0x" + std::string(64, '3');
  claims["lists"] = json::array{json::object{{"id", "UVL"}, {"effect", "licence"}}};
  claims["listed_owners"] =
      json::array{json::object{{"share", "0.125"}, {"list", "EL"}, {"effect", "licence"}},
                  json::object{{"share", 0.25}, {"list", "MEU"}, {"effect", "licence"}}};
  const Answered answer = world.prove(world.buyer, claims);
  ASSERT_EQ(answer.status, 200U) << answer.raw;
  const json::value& facts = answer.body.at("facts");
  EXPECT_EQ(facts.at("country"), "DE");
  EXPECT_EQ(facts.at("parentHq"), "n/a");
  EXPECT_EQ(facts.at("lists").at(0).at("id"), "UVL");
  EXPECT_EQ(facts.at("listedOwners").as_array().size(), 1U);
  EXPECT_EQ(facts.at("listedOwners").at(0).at("share"), "0.375");
  EXPECT_EQ(facts.at("disclosures").as_array().size(), 9U);
  EXPECT_FALSE(answer.body.at("acknowledgement").is_null());
  world.restart();
  const auto kept = world.service->state().read([&](const exchange::Exchange& core) {
    const exchange::PartyFacts* known = core.facts_of(world.buyer.address());
    return known != nullptr && core.facts_hold(world.buyer.address()) &&
           policy::to_string(known->country.value) == "DE";
  });
  EXPECT_TRUE(kept);
  const json::value account =
      world.get("/v1/accounts/" + to_checksum(world.buyer.address()), &world.buyer).body;
  EXPECT_EQ(account.at("frozen"), false);
  EXPECT_EQ(account.at("facts").at("holds"), true);
  EXPECT_EQ(account.at("facts").at("issuer"), facts.at("issuer"));
}

TEST_F(Credentials, WhatIsNotShownIsUnknown) {
  const std::string shown =
      world.presentation(good(), world.buyer, {"country", "record_locator", "retention_days"});
  const Answered answer = world.hand_in(shown, world.buyer);
  ASSERT_EQ(answer.status, 200U) << answer.raw;
  for (const char* name : {"hq", "parentHq", "lists", "listedOwners", "person", "group"})
    EXPECT_TRUE(answer.body.at("facts").at(name).is_null()) << name;
}

TEST_F(Credentials, EachRefusalHasItsOwnCode) {
  const uint64_t before = world.last_sequence();
  const auto refused = [&](const std::string& shown, unsigned status, const char* code) {
    expect_refused(world.hand_in(shown, world.buyer), status, code);
    world.clock.pass(2'000);
  };
  refused("", 400, "credential_malformed");
  refused("a.b.c~", 400, "credential_malformed");
  refused(present(good(), IssuerKey::generate(), world.binding()), 400, "credential_tampered");
  credential::Issuance other = good();
  other.issuer = "https://elsewhere.example";
  refused(present(other, world.issuer, world.binding()), 400, "credential_issuer");
  other = good();
  other.expires_at = world.clock.now().seconds() - 1;
  refused(present(other, world.issuer, world.binding()), 400, "credential_expired");
  other = good();
  other.issued_at = world.clock.now().seconds() + 1000;
  refused(present(other, world.issuer, world.binding()), 400, "credential_expired");

  std::string tampered = present(good(), world.issuer, world.binding());
  const size_t at = tampered.find('~') + 8;
  tampered[at] = tampered[at] == 'A' ? 'B' : 'A';
  const Answered changed = world.hand_in(tampered, world.buyer);
  EXPECT_TRUE(changed.code() == "credential_tampered" || changed.code() == "credential_malformed")
      << changed.raw;  // base64url of other JSON, or of none
  json::object swapped = PolicyWorld::claims("US");
  const std::string mine = present(good(), world.issuer, world.binding());
  const std::string others = credential::issue(world.issuance(world.buyer, swapped), world.issuer);
  const size_t first = mine.find('~');
  const size_t second = mine.find('~', first + 1);
  const size_t from = others.find('~');
  refused(mine.substr(0, first) + others.substr(from, others.find('~', from + 1) - from) +
              mine.substr(second),
          400, "credential_tampered");

  std::string none = credential::issue(good(), world.issuer);
  const auto head = credential::base64url(as_bytes(R"({"alg":"none","typ":"dc+sd-jwt"})"));
  none = head + none.substr(none.find('.'));
  refused(none, 400, "credential_algorithm");

  refused(credential::issue(good(), world.issuer), 400, "credential_wrong_holder");  // unbound
  credential::Binding elsewhere = world.binding();
  elsewhere.audience = "0x" + std::string(64, '5');
  refused(present(good(), world.issuer, elsewhere), 400, "credential_wrong_holder");
  const std::string providers = world.presentation(
      world.issuance(world.provider, PolicyWorld::claims()), world.provider, {"country"});
  refused(providers, 400, "credential_wrong_holder");  // its own, handed in by another
  EXPECT_EQ(world.last_sequence(), before);
}

TEST_F(Credentials, AChallengeIsFreshAndGoodOnce) {
  const std::string shown = present(good(), world.issuer, world.binding());
  EXPECT_EQ(world.hand_in(shown, world.buyer).status, 200U);
  expect_refused(world.hand_in(shown, world.buyer), 401, "replayed");

  credential::Binding own = world.binding();
  own.nonce = "1800000000000.00.00";  // nobody's but the holder's own
  expect_refused(world.hand_in(present(good(), world.issuer, own), world.buyer), 401, "replayed");
  own.nonce = "";
  expect_refused(world.hand_in(present(good(), world.issuer, own), world.buyer), 401, "replayed");

  credential::Binding old = world.binding();
  world.pass(Challenges::kLifeMs);
  old.issued_at = world.clock.now().seconds();
  expect_refused(world.hand_in(present(good(), world.issuer, old), world.buyer), 401, "replayed");

  const credential::Binding before = world.binding();
  world.restart();
  expect_refused(world.hand_in(present(good(), world.issuer, before), world.buyer), 401,
                 "replayed");
  EXPECT_EQ(world.prove(world.buyer).status, 200U);
}

TEST_F(Credentials, ARevocableOneNeedsItsList) {
  credential::Issuance what = good();
  what.status_list = kList;
  what.status_index = 77;
  const auto hand_in = [&](const std::string& token) {
    world.clock.pass(2'000);
    const json::object lists = token.empty() ? json::object{} : json::object{{kList, token}};
    return world.hand_in(present(what, world.issuer, world.binding()), world.buyer, lists);
  };
  const uint64_t now = world.clock.now().seconds();
  StatusList list(kList, 1000);
  const std::string clean = list.sign(world.issuer, now, now + 3600);
  ASSERT_TRUE(list.revoke(77));
  const std::string revoked = list.sign(world.issuer, now, now + 3600);
  StatusList elsewhere("https://issuer.example/status/2", 1000);

  expect_refused(hand_in(""), 400, "invalid_argument", "statusLists");
  expect_refused(hand_in(revoked), 400, "credential_revoked");
  expect_refused(hand_in(list.sign(IssuerKey::generate(), now, now + 3600)), 400,
                 "credential_tampered", "statusLists");
  expect_refused(hand_in(list.sign(world.issuer, now - 100, now - 1)), 400, "credential_expired",
                 "statusLists");
  EXPECT_GE(hand_in(elsewhere.sign(world.issuer, now, now + 3600)).status, 400U);
  EXPECT_EQ(hand_in(clean).status, 200U);

  // The operator's fresh copy counts beside the one of yesterday that the holder hands in.
  const auto folder = world.folder.path / "status";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / net::percent_encode(kList)) << revoked << "\n";
  world.configure = [configure = world.configure, folder](ServiceConfig& config) {
    configure(config);
    config.status_lists = folder;
  };
  world.restart();
  expect_refused(hand_in(clean), 400, "credential_revoked");
  std::ofstream(folder / net::percent_encode(kList)) << clean << "\n";
  EXPECT_EQ(hand_in("").status, 200U);
}

TEST_F(Credentials, ClaimsThatRulesCannotReadAreRefused) {
  expect_malformed("country", "Singapore");
  expect_malformed("hq", "sg");
  expect_malformed("parent_hq", 1);
  expect_malformed("person_id", "me");
  expect_malformed("group_id", json::value("0x" + std::string(64, '0')));
  expect_malformed("lists", "none");
  expect_malformed("lists", json::array{"EL"});
  expect_malformed("lists", json::array{json::object{{"id", "Jane Doe"}, {"effect", "block"}}});
  expect_malformed("lists", json::array{json::object{{"id", "EL"}, {"effect", "bad"}}});
  expect_malformed("listed_owners",
                   json::array{json::object{{"share", "1.5"}, {"effect", "block"}}});
  expect_malformed("listed_owners", json::array{json::object{{"share", -1}, {"effect", "block"}}});
  expect_malformed("listed_owners",
                   json::array{json::object{{"share", "0.6"}, {"effect", "block"}},
                               json::object{{"share", "0.6"}, {"effect", "block"}}});
  expect_malformed("retention_days", 0);
  expect_malformed("retention_days", "long");
  expect_malformed("record_locator", "");
  world.clock.pass(10'000);
  const std::string without = world.presentation(good(), world.buyer, {"country"});
  expect_refused(world.hand_in(without, world.buyer), 400, "credential_malformed",
                 "claims.record_locator");
}

TEST_F(Credentials, AnAccountCannotFloodTheJournalWithThem) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(world.prove(world.buyer).status, 200U);
  expect_refused(world.prove(world.buyer), 429, "limit_exceeded");
  EXPECT_EQ(world.prove(world.provider).status, 200U);
  world.pass(1'000);
  EXPECT_EQ(world.prove(world.buyer).status, 200U);
}

/// Personal data, held back or shown, reaches neither journal nor log nor answer.
TEST_F(Credentials, NothingPersonalIsKept) {
  const std::string secret = "Wilhelmina-Zaphod-8841";
  json::object claims = PolicyWorld::claims();
  claims["name"] = secret + "-held-back";
  claims["address"] = json::object{{"street", secret + "-shown"}};
  claims["passport"] = json::array{secret + "-number"};
  claims["record_locator"] = secret + "-locator";
  std::vector<std::string> show = PolicyWorld::names(claims);
  std::erase(show, "name");
  const credential::Issuance what = world.issuance(world.buyer, claims);
  std::vector<std::string> answers;
  const Answered proven = world.hand_in(world.presentation(what, world.buyer, show), world.buyer);
  ASSERT_EQ(proven.status, 200U) << proven.raw;
  answers.push_back(proven.raw);
  const auto disclosed = proven.body.at("facts").at("disclosures").as_array();
  EXPECT_EQ(disclosed.size(), claims.size() - 3);  // of name, address and passport not even a hash
  // Refusals do not repeat it either.
  json::object wrong = claims;
  wrong["country"] = secret + "-country";
  answers.push_back(
      world
          .hand_in(world.presentation(world.issuance(world.buyer, wrong), world.buyer, show),
                   world.buyer)
          .raw);
  wrong = claims;
  wrong["lists"] = json::array{json::object{{"id", secret + " list"}, {"effect", "block"}}};
  answers.push_back(
      world
          .hand_in(world.presentation(world.issuance(world.buyer, wrong), world.buyer, show),
                   world.buyer)
          .raw);
  auto agent = world.open_market();
  ASSERT_EQ(world.prove(world.provider, PolicyWorld::claims("DE")).status, 200U);
  answers.push_back(world.order_job(1).raw);
  answers.push_back(world.get("/v1/policy/queue", &world.operator_key).raw);
  const Answered leases = world.get("/v1/leases", &world.operator_key);
  EXPECT_EQ(leases.body.at("leases").as_array().size(), 1U) << leases.raw;
  for (const json::value& lease : leases.body.at("leases").as_array())
    for (const SecretKey* key : {&world.buyer, &world.provider, &world.operator_key})
      answers.push_back(
          world.get("/v1/leases/" + std::string(lease.at("lease").as_string()) + "/verdict", key)
              .raw);

  std::string everything;
  ASSERT_TRUE(world.journal->read(1, [&](uint64_t, ByteView record) -> Result<void> {
    everything += as_text(record);
    return {};
  }));
  EXPECT_GT(everything.size(), 1000U);
  const Bytes state =
      world.service->state().read([](const exchange::Exchange& core) { return core.encode(); });
  everything += as_text(state);
  for (const std::string& line : world.lines) everything += line;
  for (const std::string& answer : answers) everything += answer;
  for (const json::value& message : agent.socket->messages) everything += json_text(message);
  EXPECT_EQ(everything.find("Wilhelmina"), std::string::npos);
  EXPECT_EQ(everything.find("Zaphod"), std::string::npos);
}

TEST(ChallengesTest, AreBoundedByWhatIsSpent) {
  Challenges challenges(2);
  const UnixMs now{1'000'000};
  for (int i = 0; i < 100; ++i) challenges.make(now);  // asking costs nothing
  EXPECT_TRUE(challenges.spend(challenges.make(now), now));
  EXPECT_TRUE(challenges.spend(challenges.make(now), now));
  const std::string third = challenges.make(now);
  EXPECT_EQ(challenges.spend(third, now).error().code, ErrorCode::limit_exceeded);
  const UnixMs later{now.ms + Challenges::kLifeMs};
  EXPECT_EQ(challenges.spend(third, later).error().code, ErrorCode::replayed);
  EXPECT_TRUE(challenges.spend(challenges.make(later), later));
  EXPECT_EQ(challenges.spend(std::string(1000, '.'), later).error().code, ErrorCode::replayed);
  EXPECT_EQ(Challenges().spend(third, now).error().code, ErrorCode::replayed);  // another process's
}

}  // namespace
}  // namespace mizan::service
