// Policy through the API: rules that change, officers who decide, parties who hear why.
#include "service/policy_world.hpp"

namespace mizan::service {
namespace {

LeaseId id_of(const json::value& lease) {
  return parse_fixed<LeaseId>(text_of(lease.at("lease"))).value();
}

TEST(PolicyApi, TellsThePolicyInForce) {
  PolicyWorld world;
  const Answered answer = world.get("/v1/policy");
  ASSERT_EQ(answer.status, 200U) << answer.raw;
  EXPECT_EQ(text_of(answer.body.at("ruleSet")), hex0x(shipped_rules()->hash().view()));
  EXPECT_EQ(answer.body.at("empty"), false);
  EXPECT_EQ(answer.body.at("developmentIssuers"), true);
  EXPECT_EQ(answer.body.at("issuers").at(0), json::value(kDevelopmentIssuer));
  EXPECT_EQ(answer.body.at("officers").as_array().size(), 1U);
  EXPECT_EQ(world.get("/v1/exchange").body.at("ruleSet"), answer.body.at("ruleSet"));
  for (const std::string prefix : {"0x", "sha256:"}) {
    const Answered text =
        world.get("/v1/policy/rulesets/" + prefix + hex(shipped_rules()->hash().view()));
    EXPECT_EQ(text.raw, shipped_rules()->canonical());
  }
  EXPECT_EQ(world.get("/v1/policy/rulesets/0x" + std::string(64, '2')).status, 404U);
  EXPECT_EQ(world.get("/v1/policy/rulesets/latest").status, 404U);
}

TEST(PolicyApi, SaysAtItsStartThatNothingIsAssessed) {
  World world;
  EXPECT_THAT(world.lines, testing::Contains(testing::HasSubstr("NOTHING IS ASSESSED")));
  PolicyWorld other;
  EXPECT_THAT(other.lines, testing::Contains(testing::HasSubstr("development_issuers")));
}

TEST(PolicyApi, KeepsRuleSetsThatTheOperatorBrings) {
  PolicyWorld world;
  const auto files = files_with(R"({"fact":"units","above":1})", "RED_FLAG");
  EXPECT_EQ(world.put_rules(files, nullptr).status, 401U);
  EXPECT_EQ(world.put_rules(files, &world.buyer).status, 403U);
  const Answered kept = world.put_rules(files, &world.operator_key);
  ASSERT_EQ(kept.status, 201U) << kept.raw;
  EXPECT_EQ(world.put_rules(files, &world.operator_key).status, 200U);
  const std::string hash = text_of(kept.body.at("ruleSet"));
  EXPECT_EQ(world.get("/v1/policy/rulesets/" + hash).status, 200U);
  EXPECT_EQ(text_of(world.get("/v1/policy").body.at("ruleSet")),
            hex0x(shipped_rules()->hash().view()));  // kept, not in force

  auto bad = files;
  bad["own.json"] = R"({"format":"mizan.policy.1","ruels":[]})";
  const Answered refused = world.put_rules(bad, &world.operator_key);
  EXPECT_EQ(refused.status, 400U);
  EXPECT_THAT(refused.raw, testing::HasSubstr("own.json"));
  EXPECT_EQ(world.put_rules({}, &world.operator_key).code(), "invalid_argument");

  world.restart();
  EXPECT_EQ(world.get("/v1/policy/rulesets/" + hash).status, 200U);
}

TEST(PolicyApi, TakesAChangeFromTheOperatorAlone) {
  PolicyWorld world;
  const Hash32 shipped = shipped_rules()->hash();
  const uint64_t before = world.last_sequence();
  const auto refused = [&](json::object body, unsigned status, const char* code) {
    const Answered answer = world.post("/v1/policy", body);
    EXPECT_EQ(answer.status, status) << answer.raw;
    EXPECT_EQ(answer.code(), code) << answer.raw;
  };
  refused(world.change(Hash32{{7}}, world.options()), 404, "not_found");
  json::object forged = world.change(shipped, world.options());
  forged["signature"] = world.signature(
      from_json<eip712::PolicyChange>(forged.at("change"), "change").value(), world.buyer);
  refused(forged, 401, "unauthenticated");
  json::object other = world.change(shipped, world.options());
  other["options"] = json::object{};
  refused(other, 400, "invalid_argument");
  refused(world.change(shipped, {{"stricter", {{"RED_FLAG", "ALLOW"}}}}), 400, "invalid_argument");
  refused(world.change(shipped, {{"issuers", {{"https://x", {{"kty", "EC"}}}}}}), 400,
          "invalid_argument");
  refused(world.change(shipped, {{"isuers", json::object{}}}), 400, "unknown_field");
  EXPECT_EQ(world.last_sequence(), before);

  const json::object good = world.change(shipped, world.options());
  const Answered answer = world.post("/v1/policy", good);
  ASSERT_EQ(answer.status, 200U) << answer.raw;
  EXPECT_EQ(answer.body.at("policy").at("officers").as_array().size(), 2U);
  EXPECT_FALSE(answer.body.at("acknowledgement").is_null());
  refused(good, 401, "replayed");
  world.restart();
  EXPECT_EQ(world.get("/v1/policy").body.at("officers").as_array().size(), 2U);
}

TEST(PolicyApi, DevelopmentIssuersNeedTheFlagAtTheStart) {
  World plain;
  const json::object options{{"developmentIssuers", true}};
  const eip712::PolicyChange change{policy::RuleSet::empty().hash(), false,
                                    canonical_json_hash(options).value(), 1,
                                    plain.clock.now().seconds() + 60};
  const Answered answer = plain.post(
      "/v1/policy", json::object{{"change", to_json(change)},
                                 {"options", options},
                                 {"signature", plain.signature(change, plain.operator_key)}});
  EXPECT_EQ(answer.code(), "forbidden") << answer.raw;

  PolicyWorld world;
  world.configure = [](ServiceConfig& config) { config.rules = shipped_rules(); };
  const auto opened = world.open_service();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::conflict);
  EXPECT_EQ(opened.error().details.at("field"), "development_issuer");
}

TEST(PolicyApi, OtherRulesAtALaterStartChangeNothing) {
  PolicyWorld world;
  const auto first = world.configure;
  const auto others = std::make_shared<const policy::RuleSet>(
      policy::RuleSet::load(files_with(R"({"fact":"units","above":1})", "RED_FLAG")).value());
  world.configure = [&](ServiceConfig& config) {
    first(config);
    config.rules = others;
  };
  world.restart();
  EXPECT_EQ(text_of(world.get("/v1/policy").body.at("ruleSet")),
            hex0x(shipped_rules()->hash().view()));
  EXPECT_EQ(world.get("/v1/policy/rulesets/" + others->hash_text()).status, 404U);
  EXPECT_THAT(world.lines, testing::Contains(testing::HasSubstr("other_rules_in_force")));
}

TEST(PolicyApi, DoesNotStartWithoutARuleSetOfItsJournal) {
  PolicyWorld world;
  world.configure = nullptr;
  const std::string hash = hex(shipped_rules()->hash().view());
  const auto file = world.folder.path / "rulesets" / (hash + ".json");
  std::filesystem::rename(file, world.folder.path / "away");
  const auto missing = world.open_service();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_THAT(missing.error().message, testing::HasSubstr(hash));
  std::filesystem::rename(world.folder.path / "away", world.folder.path / "rulesets/0.json");
  const auto misnamed = world.open_service();
  ASSERT_FALSE(misnamed);
  EXPECT_EQ(misnamed.error().code, ErrorCode::corrupted);
}

TEST(PolicyApi, BothSidesHearWhyThereIsNoDeal) {
  PolicyWorld world;
  auto agent = world.open_market();
  ASSERT_EQ(world.prove(world.provider).status, 200U);
  ASSERT_EQ(world.prove(world.buyer, PolicyWorld::claims("IR")).status, 200U);
  const Answered refused = world.order_job(1, true);
  EXPECT_EQ(refused.code(), "no_match") << refused.raw;
  const json::value reasons = refused.body.at("details").at("reasons");
  bool told = false;
  for (const json::value& reason : reasons.as_array())
    told = told || (reason.at("dimension") == "policy" &&
                    text_of(reason.at("nearest")).find("PROHIBITED") == 0);
  EXPECT_TRUE(told) << refused.raw;
  const json::value message = agent.socket->take("policy");
  ASSERT_FALSE(message.is_null());
  EXPECT_EQ(message.at("held"), false);
  EXPECT_EQ(message.at("head"), "sanctions");
  EXPECT_EQ(message.at("outcome"), "PROHIBITED");
  EXPECT_EQ(json_text(message).find("\"IR\""), std::string::npos);

  // A bid that rests hears it at once too.
  const Answered resting = world.order_job(2);
  ASSERT_EQ(resting.body.at("status"), "resting") << resting.raw;
  EXPECT_EQ(resting.body.at("policy").at(0).at("outcome"), "PROHIBITED");

  json::object plan{{"nodes", 1},       {"unitsPerNode", 2},
                    {"query", ""},      {"maxRate", "2000"},
                    {"maxSeconds", 60}, {"buyer", to_checksum(world.buyer.address())}};
  const auto ask_plan = [&](const SecretKey* key) {
    return world.send(world.request("POST", "/v1/plan", json_text(plan), key));
  };
  EXPECT_EQ(ask_plan(&world.buyer).code(), "no_match");
  EXPECT_EQ(ask_plan(nullptr).status, 401U);  // what policy says of a party is its own business
  EXPECT_EQ(ask_plan(&world.provider).code(), "forbidden");
  plan.erase("buyer");
  EXPECT_EQ(ask_plan(nullptr).status, 200U);
}

TEST(PolicyApi, AnOfficerDecidesOnAHeldDeal) {
  PolicyWorld world;
  auto agent = world.open_market();
  ASSERT_EQ(world.post("/v1/policy", world.change(shipped_rules()->hash(), world.options())).status,
            200U);
  const Answered placed = world.order_job(1);  // nobody has proven anything
  ASSERT_EQ(placed.body.at("status"), "held") << placed.raw;
  const json::value& lease = placed.body.at("leases").at(0);
  const LeaseId id = id_of(lease);
  EXPECT_EQ(lease.at("state"), "held");
  EXPECT_GT(lease.at("heldUntilMs").to_number<uint64_t>(), world.clock.now().ms);
  EXPECT_TRUE(agent.socket->take("match").is_null());
  EXPECT_THAT(world.get("/v1/metrics").raw, testing::HasSubstr("\nmizan_held_leases 1\n"));
  EXPECT_EQ(world.get(world.lease_path(id), &world.buyer).body.at("state"), "held");
  EXPECT_EQ(world.get(world.lease_path(id), &world.provider).body.at("state"), "held");
  EXPECT_EQ(world.get("/v1/leases?state=held", &world.buyer).body.at("leases").as_array().size(),
            1U);

  EXPECT_EQ(world.get("/v1/policy/queue").status, 401U);
  EXPECT_EQ(world.get("/v1/policy/queue", &world.buyer).code(), "forbidden");
  const Answered queue = world.get("/v1/policy/queue", &world.officer);
  ASSERT_EQ(queue.status, 200U) << queue.raw;
  ASSERT_EQ(queue.body.at("leases").as_array().size(), 1U);
  EXPECT_EQ(id_of(queue.body.at("leases").at(0).at("lease")), id);

  const uint64_t before = world.last_sequence();
  EXPECT_EQ(world.decide(id, true, world.buyer).code(), "forbidden");
  EXPECT_EQ(world
                .order("/v1/policy/decisions", "decision", world.decision(id, true), world.officer,
                       &world.buyer)
                .code(),
            "unauthenticated");
  EXPECT_EQ(world.last_sequence(), before);
  EXPECT_EQ(world.decide(LeaseId{{5}}, true, world.officer).code(), "not_found");
  EXPECT_EQ(world.post("/v1/policy/decisions", json::object{}).status, 400U);

  eip712::Decision unseen = world.decision(id, true);
  unseen.verdict = Hash32{{1}};
  const Answered changed = world.order("/v1/policy/decisions", "decision", unseen, world.officer);
  EXPECT_EQ(changed.code(), "conflict") << changed.raw;
  EXPECT_EQ(changed.body.at("details").at("verdict"), lease.at("verdict").at("hash"));

  const Answered approved = world.decide(id, true, world.officer);
  ASSERT_EQ(approved.status, 200U) << approved.raw;
  EXPECT_EQ(approved.body.at("lease").at("state"), "matched");
  EXPECT_FALSE(agent.socket->take("match").is_null());
  EXPECT_EQ(world.get(world.lease_path(id), &world.buyer).body.at("lease"),
            approved.body.at("lease").at("lease"));
  EXPECT_EQ(world.decide(id, true, world.officer).code(), "conflict");
  world.pass(15'000);  // nobody accepted

  eip712::Bid second = world.bid(2, PolicyWorld::wanted());
  const Answered again = world.post("/v1/bids", world.bid_body(second, PolicyWorld::wanted()));
  const LeaseId other = id_of(again.body.at("leases").at(0));
  while (!agent.socket->messages.empty()) agent.socket->messages.pop_front();
  const Answered rejected = world.decide(other, false, world.operator_key);
  EXPECT_EQ(rejected.body.at("lease").at("state"), "failed") << rejected.raw;
  EXPECT_EQ(rejected.body.at("lease").at("reason"), "policy_rejected");
  EXPECT_TRUE(agent.socket->messages.empty());  // it never heard of that deal
}

TEST(PolicyApi, EachSideSeesItsOwnPartOfAVerdict) {
  PolicyWorld world;
  auto agent = world.open_market();
  ASSERT_EQ(world.prove(world.provider, PolicyWorld::claims("DE")).status, 200U);
  json::object buyer_claims = PolicyWorld::claims("SG");
  buyer_claims["person_id"] = "0x" + std::string(64, '2');
  ASSERT_EQ(world.prove(world.buyer, buyer_claims).status, 200U);
  const LeaseId id = world.run_job(agent, 1);
  const std::string path = world.lease_path(id) + "/verdict";
  const auto seen_by = [&](const SecretKey& key) {
    const Answered answer = world.get(path, &key);
    EXPECT_EQ(answer.status, 200U) << answer.raw;
    std::vector<std::string> roles;
    for (const json::value& party : answer.body.at("case").at("parties").as_array())
      roles.push_back(text_of(party.at("role")));
    return roles;
  };
  EXPECT_THAT(seen_by(world.operator_key),
              testing::UnorderedElementsAre("provider", "buyer", "end_user"));
  EXPECT_THAT(seen_by(world.buyer), testing::UnorderedElementsAre("buyer", "end_user"));
  EXPECT_THAT(seen_by(world.provider), testing::UnorderedElementsAre("provider"));
  EXPECT_EQ(world.get(path).status, 401U);
  EXPECT_EQ(world.get(path, &world.officer).code(), "forbidden");  // not one yet
  EXPECT_EQ(world.get(path + "?lang=fr", &world.buyer).status, 400U);
  const Answered arabic = world.get(path + "?lang=ar", &world.buyer);
  EXPECT_NE(arabic.raw, world.get(path + "?lang=en", &world.buyer).raw);
  EXPECT_EQ(world.get(world.lease_path(LeaseId{{1}}) + "/verdict", &world.buyer).status, 404U);
  const std::string before = world.get(path, &world.operator_key).raw;
  world.restart();
  EXPECT_EQ(world.get(path, &world.operator_key).raw, before);
}

TEST(PolicyApi, ARunningLeaseKeepsItsVerdictUnderNewRules) {
  PolicyWorld world;
  auto agent = world.open_market();
  ASSERT_EQ(world.prove(world.provider).status, 200U);
  json::object claims = PolicyWorld::claims();
  claims["person_id"] = "0x" + std::string(64, '2');
  ASSERT_EQ(world.prove(world.buyer, claims).status, 200U);
  const LeaseId id = world.run_job(agent, 1);
  const json::value verdict = world.get(world.lease_path(id), &world.buyer).body.at("verdict");
  const std::string explained = world.get(world.lease_path(id) + "/verdict", &world.buyer).raw;
  EXPECT_TRUE(
      world.get("/v1/policy/review", &world.operator_key).body.at("leases").as_array().empty());

  const Answered kept =
      world.put_rules(files_with(R"({"fact":"units","above":1})", "RED_FLAG"), &world.operator_key);
  ASSERT_EQ(kept.status, 201U) << kept.raw;
  const Hash32 hash = parse_fixed<Hash32>(text_of(kept.body.at("ruleSet"))).value();
  const Answered changed = world.post("/v1/policy", world.change(hash, world.options()));
  ASSERT_EQ(changed.status, 200U) << changed.raw;

  const auto check = [&] {
    EXPECT_EQ(world.get(world.lease_path(id), &world.buyer).body.at("verdict"), verdict);
    EXPECT_EQ(world.get(world.lease_path(id), &world.buyer).body.at("state"), "funded");
    const Answered review = world.get("/v1/policy/review", &world.officer);
    ASSERT_EQ(review.body.at("leases").as_array().size(), 1U) << review.raw;
    EXPECT_EQ(id_of(review.body.at("leases").at(0).at("lease")), id);
    EXPECT_EQ(review.body.at("leases").at(0).at("review").at("verdict"), "RED_FLAG");
    const json::value now = world.get(world.lease_path(id) + "/verdict", &world.buyer).body;
    EXPECT_EQ(now.at("answer"), parse_json(explained).value().at("answer"));
    EXPECT_EQ(now.at("review").at("verdict"), "RED_FLAG");
  };
  check();
  EXPECT_THAT(world.lines, testing::Contains(testing::HasSubstr("would_not_pass")));
  world.restart();
  check();
  EXPECT_EQ(world.get("/v1/policy/review", &world.buyer).code(), "forbidden");
  EXPECT_EQ(world.order_job(2).body.at("status"), "held");
}

TEST(PolicyApi, AListedPartyIsStoppedAndFrozen) {
  PolicyWorld world;
  auto agent = world.open_market();
  ASSERT_EQ(world.prove(world.provider).status, 200U);
  json::object claims = PolicyWorld::claims();
  claims["person_id"] = "0x" + std::string(64, '2');
  ASSERT_EQ(world.prove(world.buyer, claims).status, 200U);
  const LeaseId id = world.run_job(agent, 1);
  eip712::Listing listing;
  listing.account = world.buyer.address();
  listing.list = "SDN";
  listing.effect = "block";
  listing.listed = true;
  listing.nonce = 1;
  listing.deadline = world.clock.now().seconds() + 60;
  const auto send = [&](const eip712::Listing& what, const SecretKey& key,
                        const SecretKey* signer = nullptr) {
    return world.order("/v1/policy/listings", "listing", what, key, signer);
  };
  EXPECT_EQ(send(listing, world.provider).code(), "forbidden");
  EXPECT_EQ(send(listing, world.operator_key, &world.provider).code(), "unauthenticated");
  eip712::Listing wrong = listing;
  wrong.effect = "shame";
  EXPECT_EQ(send(wrong, world.operator_key).code(), "invalid_argument");
  wrong = listing;
  wrong.listed = false;
  EXPECT_EQ(send(wrong, world.operator_key).code(), "not_found");
  const Answered listed = send(listing, world.operator_key);
  ASSERT_EQ(listed.status, 200U) << listed.raw;
  EXPECT_EQ(send(listing, world.operator_key).code(), "replayed");
  const json::value stop = agent.socket->take("stop");
  ASSERT_FALSE(stop.is_null());
  EXPECT_EQ(stop.at("reason"), "listed");
  EXPECT_EQ(id_of(stop), id);
  EXPECT_EQ(world.order_job(2).code(), "policy_blocked");
  EXPECT_EQ(world.get("/v1/artifacts/" + hex0x(Hash32{}.view()), &world.buyer).code(),
            "policy_blocked");
}

TEST(PolicyApi, ALicenceOnFileComesFromAnOfficer) {
  PolicyWorld world;
  eip712::LicenceOnFile licence{"L-1", "H100 SXM", 8, "SG",
                                {},    20271231,   1, world.clock.now().seconds() + 60};
  const auto send = [&](const SecretKey& key, const SecretKey* signer = nullptr) {
    return world.order("/v1/policy/licences", "licence", licence, key, signer);
  };
  EXPECT_EQ(send(world.buyer).code(), "forbidden");
  EXPECT_EQ(send(world.operator_key, &world.buyer).code(), "unauthenticated");
  EXPECT_EQ(send(world.operator_key).status, 200U);
  EXPECT_EQ(send(world.operator_key).code(), "replayed");
  licence.nonce = 2;
  licence.chip = "H100SXM";
  EXPECT_EQ(send(world.operator_key).code(), "invalid_argument");
  licence.chip = "n/a";
  licence.deadline = 1;
  EXPECT_EQ(send(world.operator_key).code(), "expired");
}

}  // namespace
}  // namespace mizan::service
