// The API from the outside: what everybody else gets.
#include "service/agent_messages.hpp"
#include "service/world.hpp"
#include "support/seed.hpp"

namespace mizan::service {
namespace {

uint64_t last_sequence(World& world) {
  return world.service->state().read(
      [](const exchange::Exchange& core) { return core.last_sequence(); });
}

TEST(Hostile, MalformedBodiesNameTheirFieldAndReachNoJournal) {
  World world;
  world.open_market();
  const uint64_t before = last_sequence(world);
  const auto bad = [&](const std::string& target, const std::string& body, const char* code,
                       const char* field) {
    const Answered answer = world.send(world.request("POST", target, body));
    EXPECT_EQ(answer.code(), code) << target << " " << body.substr(0, 100) << " " << answer.raw;
    EXPECT_GE(answer.status, 400U);
    if (*field != 0) {
      const json::value* found = answer.body.at("details").as_object().if_contains("field");
      ASSERT_TRUE(found) << answer.raw;
      EXPECT_EQ(*found, field);
    }
  };
  for (const char* target :
       {"/v1/bids", "/v1/asks", "/v1/grants", "/v1/plan", "/v1/asks/cancel", "/v1/bids/cancel"}) {
    bad(target, "", "invalid_argument", "");
    bad(target, "null", "invalid_argument", "");
    bad(target, "[]", "invalid_argument", "");
    bad(target, "{", "invalid_argument", "");
    bad(target, "\xff\xfe", "invalid_argument", "");
    bad(target, std::string(10'000, '['), "too_large", "");
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += "{\"a\":";
    bad(target, deep, "too_large", "");
  }
  const json::object good = world.bid_body(world.bid());
  const auto changed = [&](auto change) {
    json::object body = good;
    change(body);
    return json_text(body);
  };
  bad("/v1/bids", changed([](auto& b) { b["bdi"] = 1; }), "unknown_field", "bdi");
  bad("/v1/bids", changed([](auto& b) { b.erase("spec"); }), "invalid_argument", "spec");
  bad("/v1/bids", changed([](auto& b) { b["bid"].as_object()["maxRate"] = 12; }),
      "invalid_argument", "bid.maxRate");
  bad("/v1/bids", changed([](auto& b) { b["bid"].as_object()["maxRate"] = "-1"; }),
      "invalid_argument", "bid.maxRate");
  bad("/v1/bids", changed([](auto& b) { b["bid"].as_object()["nodes"] = 4294967296; }),
      "invalid_argument", "bid.nodes");
  bad("/v1/bids", changed([](auto& b) { b["bid"].as_object()["buyer"] = "me"; }),
      "invalid_argument", "bid.buyer");
  bad("/v1/bids", changed([](auto& b) { b["bid"].as_object()["nodez"] = 1; }), "unknown_field",
      "bid.nodez");
  bad("/v1/bids", changed([](auto& b) { b["signature"] = "0x00"; }), "invalid_argument",
      "signature");
  bad("/v1/bids", changed([](auto& b) { b["spec"] = "x"; }), "invalid_argument", "bid.specHash");
  bad("/v1/bids", changed([](auto& b) { b["spec"].as_object()["query"] = "cores>=1"; }),
      "invalid_argument", "bid.specHash");
  EXPECT_EQ(last_sequence(world), before);
}

TEST(Hostile, ForgedAndReplayedOrdersAreRefused) {
  World world;
  world.open_market();
  const uint64_t before = last_sequence(world);
  json::object forged = world.bid_body(world.bid());
  forged["signature"] = world.signature(world.bid(), world.provider);
  EXPECT_EQ(world.post("/v1/bids", forged).status, 401U);
  json::object other_exchange = world.bid_body(world.bid());
  other_exchange["signature"] =
      to_json(eip712::sign(eip712::Domain::credits(Hash32{{9}}), world.bid(), world.buyer));
  EXPECT_EQ(world.post("/v1/bids", other_exchange).status, 401U);
  json::object stolen = world.grant(world.buyer.address(), 1);
  stolen["signature"] =
      world.signature(from_json<eip712::Grant>(stolen.at("grant"), "grant").value(), world.buyer);
  EXPECT_EQ(world.post("/v1/grants", stolen).status, 401U);
  EXPECT_EQ(last_sequence(world), before);

  ASSERT_EQ(world.post("/v1/bids", world.bid_body(world.bid())).status, 200U);
  EXPECT_GE(world.post("/v1/bids", world.bid_body(world.bid())).status, 400U);  // the same nonce
  EXPECT_GE(world.post("/v1/grants", world.grant(world.buyer.address(), 1'000'000'000)).status,
            400U);  // the first grant, once more
  EXPECT_EQ(world.get("/v1/leases", &world.buyer).body.at("leases").as_array().size(), 1U);
}

TEST(Hostile, WhatWasHeardBeforeARestartIsNotTakenAgain) {
  World world;
  const net::Request heard = world.request("GET", "/v1/leases", "", &world.buyer);
  ASSERT_EQ(world.send(heard).status, 200U);
  EXPECT_EQ(world.send(heard).code(), "replayed");
  world.clock.pass(10);
  world.restart();
  EXPECT_EQ(world.send(heard).code(), "expired");
  EXPECT_EQ(world.get("/v1/leases", &world.buyer).status, 200U);
}

TEST(Hostile, AnAgentIsToldInJsonWhateverBytesItSent) {
  const Error error{ErrorCode::invalid_argument, "no \xff here", {{"field", "\xc3("}}};
  const auto told = parse_json(error_message(7, error));
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_EQ(told->at("message"), "no ? here");
  EXPECT_EQ(told->at("details").at("field"), "?(");
  EXPECT_EQ(told->at("id"), 7);
  EXPECT_EQ(told->at("type"), "error");
}

TEST(Hostile, AnAddressCannotFloodTheJournal) {
  World world([](ServiceConfig& config) { config.commands = {4, 1}; });
  auto agent = world.open_market();  // some of the four are spent on it
  const auto beat = [&] {
    world.say(agent, world.heartbeat(1, {}));
    return std::exchange(agent.socket->messages, {});
  };
  for (int i = 0; i < 4; ++i) (void)beat();
  const uint64_t before = last_sequence(world);
  ASSERT_FALSE(beat().empty()) << "the agent is told";
  EXPECT_EQ(world.post("/v1/bids", world.bid_body(world.bid())).status, 429U);
  EXPECT_EQ(last_sequence(world), before);
  world.pass(3000);
  EXPECT_EQ(world.post("/v1/bids", world.bid_body(world.bid())).status, 200U);
}

/// Whatever carries a signature is refused before the journal if it is somebody else's.
TEST(Hostile, NoForgedCommandReachesTheJournal) {
  World world;
  auto agent = world.open_market();
  const LeaseId lease = world.funded_lease(agent);
  world.pass(2000);
  world.say(agent, world.heartbeat(2, {{lease, 4, 0, 1000, 0, "completed", {}}}));
  while (!agent.socket->messages.empty()) agent.socket->messages.pop_front();
  const uint64_t before = last_sequence(world);
  const SecretKey thief = SecretKey::generate();
  const uint64_t deadline = world.clock.now().seconds() + 60;
  const auto post = [&](const std::string& target, const char* what, const auto& message,
                        json::object more = {}) {
    more[what] = to_json(message);
    more["signature"] = world.signature(message, thief);
    const Answered answer = world.post(target, more);
    EXPECT_EQ(answer.code(), "unauthenticated") << target << " " << answer.raw;
  };
  const json::object attributes = parse_json(world.attributes).value().as_object();
  const json::object officer{{"officer", to_json(world.operator_key.address())}};
  const Hash32 empty = policy::RuleSet::empty().hash();
  post("/v1/grants", "grant", eip712::Grant{thief.address(), 1, 99, deadline});
  post("/v1/asks", "ask", world.ask(2), {{"attributes", attributes}});
  post("/v1/asks/cancel", "cancel", eip712::CancelAsk{world.provider.address(), Hash32{{1}}});
  post("/v1/bids", "bid", world.bid(9), {{"spec", World::spec()}});
  post("/v1/bids/cancel", "cancel",
       eip712::CancelBids{world.buyer.address(), 1, U256{{1}}, 1, deadline, 0});
  post("/v1/leases/" + hex0x(lease.view()) + "/request-close", "request",
       eip712::RequestClose{lease, 1, deadline, 0});
  post("/v1/policy", "change", eip712::PolicyChange{empty, false, keccak256("{}"), 1, deadline},
       {{"options", json::object{}}});
  post("/v1/policy/decisions", "decision", eip712::Decision{lease, {}, true, "so", 1, deadline},
       officer);
  post("/v1/policy/listings", "listing",
       eip712::Listing{world.buyer.address(), {}, {}, "SDN", "block", true, 1, deadline}, officer);
  post("/v1/policy/licences", "licence",
       eip712::LicenceOnFile{"L", "n/a", 1, "n/a", {}, 20991231, 1, deadline}, officer);

  const auto say = [&](const char* type, const char* what, const auto& message,
                       json::object more = {}) {
    more["type"] = type;
    more["id"] = 7;
    more[what] = to_json(message);
    more["signature"] = world.signature(message, thief);
    world.say(agent, more);
    const json::value refused = agent.socket->take("error");
    ASSERT_FALSE(refused.is_null()) << type;
    EXPECT_EQ(refused.at("code"), "unauthenticated") << type;
  };
  const auto terms = world.service->state().read(
      [&](const exchange::Exchange& core) { return core.find_lease(lease)->terms; });
  say("ask", "ask", world.ask(3), {{"attributes", attributes}});
  say("heartbeat", "heartbeat",
      eip712::Heartbeat{world.provider.address(), 50, world.clock.now().ms, {}});
  say("accept", "terms", terms);
  say("close", "close", eip712::Close{lease, 0});
  EXPECT_EQ(last_sequence(world), before);
}

TEST(Hostile, WhatIsDearIsBounded) {
  World world([](ServiceConfig& config) {
    config.plans = {5, 1};
    config.no_matches = {3, 1};
  });
  world.open_market();
  const json::object plan{
      {"nodes", 1}, {"unitsPerNode", 2}, {"query", ""}, {"maxRate", "1"}, {"maxSeconds", 60}};
  const auto ask = [&](const char* peer) {
    net::Request request = world.request("POST", "/v1/plan", json_text(plan));
    request.peer = peer;
    return world.send(std::move(request)).code();
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("192.0.2.1"), "no_match");
  EXPECT_EQ(ask("192.0.2.1"), "limit_exceeded");
  EXPECT_EQ(ask("192.0.2.2"), "no_match");
  world.pass(1000);
  EXPECT_EQ(ask("192.0.2.1"), "no_match");
  EXPECT_EQ(ask("192.0.2.1"), "limit_exceeded");

  uint64_t nonce = 1;
  const auto order = [&](u128 rate) {
    eip712::Bid bid = world.bid(nonce++);
    bid.max_rate = rate;
    return world.post("/v1/bids", world.bid_body(bid)).code();
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(order(1), "no_match");
  const uint64_t before = last_sequence(world);
  EXPECT_EQ(order(1), "limit_exceeded");
  EXPECT_EQ(order(2000), "limit_exceeded");
  EXPECT_EQ(last_sequence(world), before);
  world.pass(1000);
  EXPECT_EQ(order(2000), "");  // and what matches costs nothing
  EXPECT_EQ(order(2000), "");
}

TEST(Hostile, TooLittleMoneyAndStrangersGetNoLease) {
  World world;
  world.open_market();
  const uint64_t before = last_sequence(world);
  const SecretKey stranger = SecretKey::generate();
  eip712::Bid bid = world.bid();
  bid.buyer = stranger.address();
  const Answered answer =
      world.post("/v1/bids", json::object{{"bid", to_json(bid)},
                                          {"spec", World::spec()},
                                          {"signature", world.signature(bid, stranger)}});
  EXPECT_EQ(answer.status, 402U);
  EXPECT_EQ(last_sequence(world), before);  // a key costs nothing, a place in the journal does
  eip712::Bid dear = world.bid();
  dear.max_rate = u128{1} << 90;
  dear.max_total = u128{1} << 100;
  EXPECT_GE(world.post("/v1/bids", world.bid_body(dear)).status, 200U);
}

TEST(Hostile, IdempotencyKeysAreBounded) {
  World world;
  const json::object body = world.grant(world.buyer.address(), 1);
  for (const std::string& key : {std::string(65, 'a'), std::string("a b"), std::string("a\x01")})
    EXPECT_EQ(world.post("/v1/grants", body, key).status, 400U);
  EXPECT_EQ(world.post("/v1/grants", body, std::string(64, 'a')).status, 200U);
}

TEST(Hostile, UnknownCallsAndQueriesAreRefused) {
  World world;
  EXPECT_EQ(world.get("/").status, 404U);
  EXPECT_EQ(world.get("/v1/leases/../../etc").status, 404U);
  EXPECT_EQ(world.get("v1/exchange").status, 404U);
  EXPECT_EQ(world.post("/v1/exchange", json::object{}).status, 404U);
  EXPECT_EQ(world.get("/v1/offers?limits=1").code(), "unknown_field");
  EXPECT_EQ(world.get("/v1/offers?limit=1001").status, 400U);
  EXPECT_EQ(world.get("/v1/offers?limit=x").status, 400U);
  EXPECT_EQ(world.get("/v1/offers?query=%zz").status, 400U);
  EXPECT_EQ(world.get("/v1/offers?query=cores%3E%3E1").status, 400U);
  EXPECT_EQ(world.get("/v1/offers?order=nonsense").status, 400U);
  EXPECT_EQ(world.get("/v1/leases/0x12", &world.buyer).status, 404U);
  EXPECT_EQ(world.get("/v1/leases?account=0x1", &world.buyer).status, 400U);
  EXPECT_EQ(
      world.get("/v1/leases?account=" + to_checksum(world.buyer.address()), &world.provider).status,
      403U);
  EXPECT_EQ(world.get("/v1/accounts/me", &world.buyer).status, 400U);
  EXPECT_TRUE(world.open("/v1/nothing").error);
  EXPECT_TRUE(world.open("/v1/agent").error);  // unsigned
  EXPECT_TRUE(world.open("/v1/offers/watch?query=%3D%3D").error);
  EXPECT_TRUE(world.open("/v1/leases/0x12/stream", &world.buyer).error);
}

TEST(Hostile, AnAgentThatReconnectsInALoopIsHeldUpAlone) {
  World world([](ServiceConfig& config) { config.reconnects = {3, 1}; });
  const auto other = world.open_market();
  const SecretKey restless = SecretKey::generate();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(world.open("/v1/agent", &restless).handler);
  EXPECT_EQ(world.open("/v1/agent", &restless).error->code, ErrorCode::limit_exceeded);
  EXPECT_TRUE(world.open("/v1/agent", &world.provider).handler);
  world.pass(1000);
  EXPECT_TRUE(world.open("/v1/agent", &restless).handler);
}

TEST(Hostile, SearchesOfAnAddressAreBounded) {
  World world([](ServiceConfig& config) {
    config.searches = {6, 1};
    config.max_watchers_per_address = 2;
  });
  const auto first = world.open("/v1/offers/watch?query=");
  const auto second = world.open("/v1/offers/watch?query=");
  EXPECT_TRUE(first.handler && second.handler);
  EXPECT_EQ(world.open("/v1/offers/watch?query=").error->code, ErrorCode::limit_exceeded);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(world.get("/v1/offers").status, 200U);
  EXPECT_EQ(world.get("/v1/offers").status, 429U);
  world.pass(1000);
  EXPECT_EQ(world.get("/v1/offers").status, 200U);
}

TEST(Hostile, OthersSeeNothingOfALease) {
  World world;
  auto agent = world.open_market();
  const std::string target = "/v1/leases/" + hex0x(world.funded_lease(agent).view());
  const SecretKey other = SecretKey::generate();
  for (const char* part : {"", "/logs", "/receipt"})
    EXPECT_EQ(world.get(target + part, &other).status, 403U) << part;
  EXPECT_EQ(world.open(target + "/stream", &other).error->code, ErrorCode::forbidden);
  EXPECT_EQ(world.get(target, &world.operator_key).status, 200U);
  EXPECT_EQ(world.get(target + "/receipt", &world.buyer).status, 409U);
}

TEST(Hostile, AgentsAreHeldToTheirOwn) {
  World world;
  auto agent = world.open_market();
  const LeaseId lease = world.funded_lease(agent);
  const SecretKey other = SecretKey::generate();
  const auto thief = world.open("/v1/agent", &other);
  ASSERT_TRUE(thief.handler);
  const auto refused = [&](const json::object& message, const char* code) {
    world.say(thief, message);
    const json::value error = thief.socket->take("error");
    ASSERT_FALSE(error.is_null()) << json_text(message);
    EXPECT_EQ(error.at("code"), code) << json_text(error);
  };
  refused(world.heartbeat(50), "forbidden");
  json::object listing = world.ask_body(world.ask(2));
  listing["type"] = "ask";
  refused(listing, "forbidden");
  refused({{"type", "log"}, {"lease", hex0x(lease.view())}, {"offset", 0}, {"data", "AAAA"}},
          "not_found");
  refused({{"type", "reject"}, {"lease", hex0x(lease.view())}, {"code", "no"}, {"message", ""}},
          "forbidden");
  const eip712::Close close{lease, 0};
  refused(
      {{"type", "close"}, {"close", to_json(close)}, {"signature", world.signature(close, other)}},
      "not_found");
  refused({{"type", "nonsense"}, {"id", 3}}, "invalid_argument");
  refused({{"type", 3}}, "invalid_argument");
  refused({{"id", 3}}, "invalid_argument");

  // And to the log's order and bound.
  const auto log = [&](uint64_t offset, const std::string& data) {
    world.say(
        agent,
        {{"type", "log"}, {"lease", hex0x(lease.view())}, {"offset", offset}, {"data", data}});
  };
  log(0, "AAAA");
  EXPECT_EQ(agent.socket->take("log_ok").at("size"), 3);
  log(0, "AAAAAAAA");  // three of the six are there
  EXPECT_EQ(agent.socket->take("log_ok").at("size"), 6);
  log(7, "AAAA");
  const json::value gap = agent.socket->take("error");
  EXPECT_EQ(gap.at("code"), "conflict");
  EXPECT_EQ(gap.at("details").at("size"), "6");
  log(6, "A===");
  EXPECT_EQ(agent.socket->take("error").at("code"), "invalid_argument");
  std::string flood;
  for (int i = 0; i < 400; ++i) flood += "AAAA";
  log(6, flood);
  EXPECT_EQ(agent.socket->take("error").at("code"), "too_large");
}

TEST(Hostile, ArtifactsAreWhatTheirNameSays) {
  World world;
  world.open_market();
  const std::string bytes = "the bytes";
  const std::string target = "/v1/artifacts/" + hex0x(sha256(bytes).view());
  EXPECT_EQ(world.put(target, "other bytes", world.buyer).status, 400U);
  EXPECT_EQ(world.get(target, &world.buyer).status, 404U);
  EXPECT_EQ(world.put("/v1/artifacts/..%2fx", bytes, world.buyer).status, 400U);
  EXPECT_EQ(world.put("/v1/artifacts/0x12", bytes, world.buyer).status, 400U);
  EXPECT_EQ(world.put(target, std::string(100'001, 'x'), world.buyer).status, 413U);
  EXPECT_EQ(world.put(target, bytes, SecretKey::generate()).status, 402U);
  // Nothing of the refused ones is left, on the disk or in the quota.
  EXPECT_EQ(world.service->context().artifacts->total_bytes(), 0U);
  EXPECT_TRUE(std::filesystem::is_empty(world.folder.path / "artifacts"));
}

TEST(Hostile, TextsThatAreTooLongStayOutOfTheJournal) {
  World world;
  world.open_market();
  const SecretKey stranger = SecretKey::generate();
  auto agent = world.open("/v1/agent", &stranger);
  const auto last = [&] {
    return world.service->state().read([](const auto& core) { return core.last_sequence(); });
  };
  const uint64_t before = last();
  auto ask = world.ask();
  ask.provider = stranger.address();
  const json::value text{{"x", std::string(900'000, 'a')}};
  ask.attributes_hash = keccak256(json_text(text));
  world.say(agent, {{"type", "ask"},
                    {"id", 1},
                    {"ask", to_json(ask)},
                    {"attributes", text},
                    {"signature", world.signature(ask, stranger)}});
  EXPECT_EQ(agent.socket->take("error").at("code"), "too_large");
  world.say(agent, {{"type", "reject"},
                    {"lease", hex0x(Hash32{}.view())},
                    {"code", "x"},
                    {"message", std::string(500'000, 'm')}});
  EXPECT_EQ(agent.socket->take("error").at("code"), "too_large");
  EXPECT_EQ(last(), before);
}

TEST(Hostile, BytesForTheJournalCountAgainstTheirAddress) {
  World world([](ServiceConfig& c) { c.commands = {25, 1}; });
  world.open_market();
  json::object spec = World::spec();
  spec["job"].as_object()["name"] = std::string(60'000, 'n');
  EXPECT_NE(world.post("/v1/bids", world.bid_body(world.bid(1, spec), spec)).status, 429U);
  EXPECT_EQ(world.post("/v1/bids", world.bid_body(world.bid(2, spec), spec)).status, 429U);
}

TEST(Hostile, ToNameAnArtifactIsNotToReadIt) {
  World world;
  auto agent = world.open_market();
  const SecretKey other = SecretKey::generate();
  EXPECT_EQ(world.post("/v1/grants", world.grant(other.address(), 1'000'000, 77)).status, 200U);
  const std::string bytes = "the private model";
  const std::string name = hex0x(sha256(bytes).view());
  const std::string target = "/v1/artifacts/" + name;
  EXPECT_EQ(world.put(target, bytes, other).status, 201U);
  json::object spec = World::spec();
  spec["job"].as_object()["workdir"] = name;
  EXPECT_EQ(world.post("/v1/bids", world.bid_body(world.bid(3, spec), spec)).status, 200U);
  EXPECT_EQ(world.get(target, &world.buyer).status, 404U);
  EXPECT_EQ(world.get(target, &world.provider).status, 404U);
  // Who has the bytes may as well store them, and then its provider gets them.
  EXPECT_EQ(world.put(target, bytes, world.buyer).status, 200U);
  EXPECT_EQ(world.get(target, &world.provider).raw, bytes);
}

TEST(Hostile, RandomBytesNeverBreakTheChannel) {
  World world;
  auto agent = world.open_market();
  const uint64_t seed = test::random_seed();
  SCOPED_TRACE(test::seed_note(seed));
  uint64_t state = seed | 1;
  const auto next = [&state] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  };
  const std::string good = json_text(world.heartbeat(60));
  for (int i = 0; i < 500; ++i) {
    std::string text = good;
    for (uint64_t flips = next() % 4 + 1; flips > 0; --flips)
      text[next() % text.size()] = static_cast<char>(next());
    agent.handler->on_text(text, [] {});
  }
  world.settle();
  world.say(agent, world.heartbeat(61));
  bool answered = false;
  while (true) {
    const json::value reply = agent.socket->take("reply");
    if (reply.is_null()) break;
    answered |= reply.at("id") == 61;
  }
  EXPECT_TRUE(answered);
}

}  // namespace
}  // namespace mizan::service
