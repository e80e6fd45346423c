// The API from the outside: what honest parties get.
#include "service/world.hpp"

namespace mizan::service {
namespace {

TEST(Api, SaysWhoItIs) {
  World world;
  const Answered answer = world.get("/v1/exchange");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(text_of(answer.body.at("id")), hex0x(world.keys.exchange_id().view()));
  EXPECT_EQ(text_of(answer.body.at("domain").at("salt")), text_of(answer.body.at("id")));
  EXPECT_EQ(answer.body.at("feeBps"), 200);
  EXPECT_EQ(world.get("/v1/openapi.json").body.at("openapi"), "3.1.0");
  EXPECT_EQ(world.get("/v1/health").body.at("status"), "ok");
  EXPECT_THAT(world.get("/v1/metrics").raw, testing::HasSubstr("mizan_commands_total"));
}

TEST(Api, SaysWhatIsWrongWithItsFirstConfiguration) {
  World world;
  world.journal = journal::make_memory_journal(world.keys.exchange_id());
  world.configure = [](ServiceConfig& config) { config.fee_bps = 10'001; };
  const auto opened = world.open_service();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, testing::HasSubstr("fee_bps"));
}

TEST(Api, AStartDoesNotBelieveAClockThatIsAWeekAhead) {
  World world;
  world.clock.pass(6 * 86'400'000);
  world.restart();
  world.clock.pass(7 * 86'400'000);
  const auto opened = world.open_service();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, testing::HasSubstr("7 days have passed"));
  EXPECT_THAT(opened.error().message, testing::HasSubstr("--clock-is-right"));
  world.configure = [](ServiceConfig& config) { config.clock_is_right = true; };
  world.restart();
  EXPECT_EQ(world.get("/v1/health").body.at("status"), "ok");
  world.configure = {};
  world.restart();
}

TEST(Api, GrantsAndAcknowledges) {
  World world;
  const Answered answer = world.post("/v1/grants", world.grant(world.buyer.address(), 500));
  ASSERT_EQ(answer.status, 200U) << answer.raw;
  EXPECT_EQ(answer.body.at("account").at("balance"), "500");
  const auto acknowledgement =
      from_json<eip712::Acknowledgement>(answer.body.at("acknowledgement"), "a").value();
  const auto signature =
      from_json<Signature>(answer.body.at("acknowledgementSignature"), "s").value();
  EXPECT_TRUE(eip712::check_signer(world.domain, acknowledgement, signature,
                                   world.keys.identity.address()));
  const uint64_t sequence = answer.body.at("sequence").to_number<uint64_t>();
  EXPECT_GE(sequence, acknowledgement.first_sequence);
  EXPECT_LE(sequence, acknowledgement.last_sequence);
  const std::string target = "/v1/accounts/" + to_checksum(world.buyer.address());
  EXPECT_EQ(world.get(target, &world.buyer).body.at("balance"), "500");
  EXPECT_EQ(world.get(target, &world.operator_key).status, 200U);
  EXPECT_EQ(world.get(target, &world.provider).status, 403U);
  EXPECT_EQ(world.get(target).status, 401U);
}

TEST(Api, ShowsOffersAndPlans) {
  World world;
  EXPECT_EQ(world.get("/v1/offers").body.at("offers").as_array().size(), 0U);
  const auto watcher = world.open("/v1/offers/watch?query=cores%3E%3D4");
  ASSERT_TRUE(watcher.handler);
  EXPECT_EQ(watcher.socket->take("offers").at("offers").as_array().size(), 0U);
  world.open_market();
  const json::value offers = world.get("/v1/offers?query=cores%3E%3D4&limit=5").body.at("offers");
  ASSERT_EQ(offers.as_array().size(), 1U);
  EXPECT_EQ(offers.at(0).at("freeUnits"), 4);
  EXPECT_EQ(offers.at(0).at("attributes").at("cores").at("value"), 4);
  EXPECT_TRUE(offers.at(0).at("reliability").is_null());
  EXPECT_EQ(world.get("/v1/offers?query=cores%3E4").body.at("offers").as_array().size(), 0U);
  world.pass(2000);
  EXPECT_EQ(watcher.socket->take("offers").at("offers").as_array().size(), 1U);
  world.pass(5000);
  EXPECT_TRUE(watcher.socket->take("offers").is_null());  // nothing changed

  json::object wanted{{"nodes", 1},
                      {"unitsPerNode", 2},
                      {"query", "cores>=2"},
                      {"maxRate", "1000"},
                      {"maxSeconds", 60}};
  const Answered plan = world.post("/v1/plan", wanted);
  ASSERT_EQ(plan.status, 200U) << plan.raw;
  EXPECT_EQ(plan.body.at("offers").at(0).at("escrow"), "120000");
  wanted["maxRate"] = "999";
  const Answered none = world.post("/v1/plan", wanted);
  EXPECT_EQ(none.status, 409U);
  EXPECT_EQ(none.code(), "no_match");
  EXPECT_FALSE(none.body.at("details").at("reasons").as_array().empty());
}

TEST(Api, TakesAJobFromOrderToReceipt) {
  World world;
  auto agent = world.open_market();
  EXPECT_FALSE(agent.socket->take("welcome").is_null());
  const Answered placed = world.post("/v1/bids", world.bid_body(world.bid()), "key-1");
  ASSERT_EQ(placed.status, 200U) << placed.raw;
  EXPECT_EQ(placed.body.at("status"), "matched");
  const std::string id = text_of(placed.body.at("leases").at(0).at("lease"));
  const LeaseId lease = parse_fixed<LeaseId>(id).value();

  const json::value match = agent.socket->take("match");
  ASSERT_FALSE(match.is_null());
  EXPECT_EQ(text_of(match.at("lease")), id);
  EXPECT_EQ(canonical_json(match.at("spec")).value(), canonical_json(World::spec()).value());
  const auto terms = from_json<eip712::Terms>(match.at("terms"), "terms").value();
  EXPECT_EQ(eip712::digest(world.domain, terms), lease);

  auto stream = world.open("/v1/leases/" + id + "/stream", &world.buyer);
  ASSERT_TRUE(stream.handler) << stream.error->message;
  EXPECT_EQ(stream.socket->take("lease").at("lease").at("state"), "matched");
  world.say(agent, {{"type", "accept"},
                    {"id", 2},
                    {"terms", to_json(terms)},
                    {"signature", world.signature(terms, world.provider)}});
  EXPECT_EQ(agent.socket->take("reply").at("id"), 2);
  const json::value funded = agent.socket->take("funded");
  const auto clearance = from_json<eip712::Clearance>(funded.at("clearance"), "c").value();
  EXPECT_TRUE(eip712::check_signer(world.domain, clearance,
                                   from_json<Signature>(funded.at("signature"), "s").value(),
                                   world.keys.clearance.address()));
  EXPECT_EQ(stream.socket->take("lease").at("lease").at("state"), "funded");

  uint64_t beat = 1;
  for (uint64_t ran = 2000; ran <= 24'000; ran += 2000) {
    world.pass(2000);
    world.say(agent, world.heartbeat(++beat, {{lease, 2, 0, ran, 0, "", {}}}));
  }
  const json::value voucher = agent.socket->take("voucher");
  ASSERT_FALSE(voucher.is_null());
  EXPECT_TRUE(eip712::check_signer(
      world.domain, from_json<eip712::Voucher>(voucher.at("voucher"), "v").value(),
      from_json<Signature>(voucher.at("signature"), "s").value(), world.keys.meter.address()));

  world.say(agent, {{"type", "log"}, {"lease", id}, {"offset", 0}, {"data", "aGVsbG8K"}});
  EXPECT_EQ(agent.socket->take("log_ok").at("size"), 6);
  EXPECT_EQ(stream.socket->take("log").at("data"), "aGVsbG8K");
  EXPECT_EQ(world.get("/v1/leases/" + id + "/logs?offset=2", &world.buyer).raw, "llo\n");

  world.say(agent, world.heartbeat(++beat, {{lease, 4, 0, 24'000, 7, "completed", {}}}));
  const eip712::Close close{lease, 0};
  world.say(agent, {{"type", "close"},
                    {"id", 99},
                    {"close", to_json(close)},
                    {"signature", world.signature(close, world.provider)}});
  const json::value closed = agent.socket->take("closed");
  ASSERT_FALSE(closed.is_null());
  const auto receipt = from_json<eip712::Receipt>(closed.at("receipt"), "r").value();
  EXPECT_EQ(receipt.seconds_billed, 24U);
  EXPECT_EQ(receipt.charged, 24U * 2 * 1000);
  EXPECT_EQ(receipt.fee, receipt.charged * 200 / 10'000);
  EXPECT_EQ(receipt.exit_code, 7);
  EXPECT_TRUE(eip712::check_signer(world.domain, receipt,
                                   from_json<Signature>(closed.at("signature"), "s").value(),
                                   world.keys.identity.address()));
  const json::value last = stream.socket->take("closed");
  ASSERT_FALSE(last.is_null());
  EXPECT_EQ(last.at("lease").at("state"), "settled");
  EXPECT_EQ(last.at("lease").at("logBytes"), 6);
  EXPECT_TRUE(stream.socket->closed);

  const Answered bundle = world.get("/v1/leases/" + id + "/receipt", &world.provider);
  ASSERT_EQ(bundle.status, 200U) << bundle.raw;
  EXPECT_EQ(bundle.body.at("format"), "mizan-receipt-1");
  EXPECT_EQ(bundle.body.at("voucher").at("cumulative"), "48000");
  EXPECT_EQ(bundle.raw, world.get("/v1/leases/" + id + "/receipt", &world.buyer).raw);
  EXPECT_EQ(world.get("/v1/leases?state=settled", &world.buyer).body.at("leases").as_array().size(),
            1U);
  EXPECT_EQ(world.get("/v1/leases?state=live", &world.buyer).body.at("leases").as_array().size(),
            0U);
  EXPECT_EQ(world.get("/v1/leases?state=running", &world.buyer).body.at("leases").as_array().size(),
            0U);
  EXPECT_EQ(
      text_of(world.get("/v1/accounts/" + to_checksum(world.provider.address()), &world.provider)
                  .body.at("earned")),
      to_string(receipt.paid));
}

TEST(Api, AnswersAnIdempotencyKeyOnceAndAcrossARestart) {
  World world;
  world.open_market();
  const std::string body = json_text(world.bid_body(world.bid()));
  const Answered first = world.send(world.request("POST", "/v1/bids", body, nullptr, "k"));
  ASSERT_EQ(first.status, 200U) << first.raw;
  const Answered again = world.send(world.request("POST", "/v1/bids", body, nullptr, "k"));
  EXPECT_EQ(again.body.at("order"), first.body.at("order"));
  EXPECT_EQ(again.body.at("status"), first.body.at("status"));
  EXPECT_EQ(again.body.at("leases").at(0).at("lease"), first.body.at("leases").at(0).at("lease"));
  world.restart();
  const Answered after = world.send(world.request("POST", "/v1/bids", body, nullptr, "k"));
  EXPECT_EQ(after.body.at("leases").at(0).at("lease"), first.body.at("leases").at(0).at("lease"));
  const Answered other = world.post("/v1/bids", world.bid_body(world.bid(2)), "k");
  EXPECT_EQ(other.status, 401U);
  EXPECT_EQ(other.code(), "replayed");
  EXPECT_EQ(world.get("/v1/leases", &world.buyer).body.at("leases").as_array().size(), 1U);
  EXPECT_EQ(world.get("/v1/leases?state=live", &world.buyer).body.at("leases").as_array().size(),
            1U);
}

TEST(Api, TellsAnAgentThatComesBackWhatItMissed) {
  World world;
  auto agent = world.open_market();
  ASSERT_EQ(world.post("/v1/bids", world.bid_body(world.bid())).status, 200U);
  const auto again = world.open("/v1/agent", &world.provider);
  EXPECT_TRUE(agent.socket->closed);  // one agent a provider
  const json::value welcome = again.socket->take("welcome");
  ASSERT_EQ(welcome.at("leases").as_array().size(), 1U);
  EXPECT_EQ(welcome.at("leases").at(0).at("state"), "matched");
  const json::value match = again.socket->take("match");
  ASSERT_FALSE(match.is_null());
  const auto terms = from_json<eip712::Terms>(match.at("terms"), "terms").value();
  world.say(again, {{"type", "accept"},
                    {"terms", to_json(terms)},
                    {"signature", world.signature(terms, world.provider)}});
  EXPECT_FALSE(again.socket->take("funded").is_null());
  world.restart();
  const auto third = world.open("/v1/agent", &world.provider);
  EXPECT_EQ(third.socket->take("welcome").at("leases").at(0).at("state"), "funded");
  EXPECT_FALSE(third.socket->take("funded").is_null());
  EXPECT_TRUE(third.socket->take("match").is_null());
}

TEST(Api, TellsAnAgentThatComesBackItsLastVoucher) {
  World world;
  auto agent = world.open_market();
  const LeaseId lease = world.funded_lease(agent);
  uint64_t beat = 1;
  for (uint64_t ran = 2000; ran <= 24'000; ran += 2000) {
    world.pass(2000);
    world.say(agent, world.heartbeat(++beat, {{lease, 2, 0, ran, 0, "", {}}}));
  }
  json::value told = agent.socket->take("voucher");
  for (json::value next = told; !next.is_null(); next = agent.socket->take("voucher")) told = next;
  ASSERT_FALSE(told.is_null());
  world.restart();  // as if it had died before the word was out
  const auto again = world.open("/v1/agent", &world.provider);
  EXPECT_EQ(again.socket->take("voucher"), told);
}

TEST(Api, UndoesAMatchThatNobodyAccepts) {
  World world;
  auto agent = world.open_market();
  const Answered placed = world.post("/v1/bids", world.bid_body(world.bid()));
  const std::string id = text_of(placed.body.at("leases").at(0).at("lease"));
  world.pass(11'000);
  const json::value closed = agent.socket->take("closed");
  ASSERT_FALSE(closed.is_null());
  EXPECT_FALSE(closed.as_object().contains("receipt"));
  const json::value lease = world.get("/v1/leases/" + id, &world.buyer).body;
  EXPECT_EQ(lease.at("state"), "failed");
  EXPECT_EQ(lease.at("reason"), "not_accepted");
  EXPECT_EQ(world.get("/v1/leases/" + id + "/receipt", &world.buyer).status, 404U);
  EXPECT_EQ(world.get("/v1/accounts/" + to_checksum(world.buyer.address()), &world.buyer)
                .body.at("balance"),
            "1000000000");
}

TEST(Api, StopsAJobAtItsBuyersWord) {
  World world;
  auto agent = world.open_market();
  const LeaseId lease = world.funded_lease(agent);
  const std::string target = "/v1/leases/" + hex0x(lease.view()) + "/request-close";
  const eip712::RequestClose request{lease, 1, world.clock.now().seconds() + 60, 0};
  const Answered forged =
      world.post(target, json::object{{"request", to_json(request)},
                                      {"signature", world.signature(request, world.provider)}});
  EXPECT_EQ(forged.status, 401U);
  const Answered stopped =
      world.post(target, json::object{{"request", to_json(request)},
                                      {"signature", world.signature(request, world.buyer)}});
  ASSERT_EQ(stopped.status, 200U) << stopped.raw;
  EXPECT_EQ(text_of(stopped.body.at("lease").at("lease")), hex0x(lease.view()));
  EXPECT_EQ(agent.socket->take("stop").at("reason"), "buyer_stopped");
  const auto again = world.open("/v1/agent", &world.provider);
  EXPECT_FALSE(again.socket->take("stop").is_null());
}

TEST(Api, FinalizesALeaseWhoseProviderIsLost) {
  World world;
  auto agent = world.open_market();
  const LeaseId lease = world.funded_lease(agent);
  world.pass(2000);
  world.say(agent, world.heartbeat(2, {{lease, 2, 0, 2000, 0, "", {}}}));
  world.pass(40'000);
  const Answered answer = world.get("/v1/leases/" + hex0x(lease.view()), &world.buyer);
  EXPECT_EQ(answer.body.at("state"), "failed");
  EXPECT_EQ(answer.body.at("reason"), "provider_lost");
  EXPECT_EQ(answer.body.at("charged"), "4000");
  EXPECT_EQ(answer.body.at("vouchered"), "4000");
  // Its agent comes back with the rest of the log, which is taken.
  const auto again = world.open("/v1/agent", &world.provider);
  world.say(again,
            {{"type", "log"}, {"lease", hex0x(lease.view())}, {"offset", 0}, {"data", "aGVsbG8K"}});
  EXPECT_FALSE(again.socket->take("log_ok").is_null());
}

TEST(Api, KeepsALogAsLongAsItsLeaseWhateverTheMachinesClockSays) {
  World world;  // whose clock is years ahead of that by which its files are dated
  const World::Open agent = world.open_market();
  const LeaseId lease = world.funded_lease(agent);
  world.say(
      agent,
      {{"type", "log"}, {"id", 9}, {"lease", to_json(lease)}, {"offset", 0}, {"data", "aGVsbG8K"}});
  const std::string path = "/v1/leases/" + hex0x(lease.view());
  world.pass(1'300'000, 2'000);  // the provider is lost, and what is old was swept away twice
  EXPECT_EQ(world.get(path, &world.buyer).body.at("state"), "failed");
  EXPECT_EQ(world.get(path + "/logs", &world.buyer).raw, "hello\n");
  world.pass(8 * 24 * 3'600'000ULL, 3'600'000);
  EXPECT_FALSE(std::filesystem::exists(world.service->context().logs.file(lease)));
}

TEST(Api, KeepsArtifactsForThoseWhoMay) {
  World world;
  auto agent = world.open_market();
  const std::string bytes(50'000, 'z');
  const Hash32 name = sha256(bytes);
  const std::string target = "/v1/artifacts/" + hex0x(name.view());
  const Answered stored = world.put(target, bytes, world.buyer);
  EXPECT_EQ(stored.status, 201U) << stored.raw;
  EXPECT_EQ(world.put(target, bytes, world.buyer).status, 200U);
  EXPECT_TRUE(world.get(target, &world.buyer).raw == bytes);
  EXPECT_EQ(world.get(target, &world.provider).status, 404U);
  EXPECT_EQ(world.get(target).status, 401U);

  json::object spec = World::spec();
  spec["job"].as_object()["workdir"] = hex0x(name.view());
  ASSERT_EQ(world.post("/v1/bids", world.bid_body(world.bid(1, spec), spec)).status, 200U);
  EXPECT_TRUE(world.get(target, &world.provider).raw == bytes);

  const auto ranged = [&](const std::string& range) {
    net::Request made = world.request("GET", target, "", &world.buyer);
    made.headers.emplace_back("Range", range);
    return world.send(std::move(made));
  };
  EXPECT_EQ(ranged("bytes=10-19").status, 206U);
  EXPECT_EQ(ranged("bytes=10-19").raw.size(), 10U);
  EXPECT_EQ(ranged("bytes=49990-").raw.size(), 10U);
  EXPECT_EQ(ranged("bytes=-7").raw.size(), 7U);
  EXPECT_EQ(ranged("bytes=50000-").status, 416U);
  EXPECT_EQ(ranged("bytes=0-1,4-5").status, 200U);
  EXPECT_EQ(ranged("bytes=x").status, 200U);

  // Stored outputs and workdirs outlive the program.
  world.restart();
  EXPECT_TRUE(world.get(target, &world.buyer).raw == bytes);
  EXPECT_TRUE(world.get(target, &world.provider).raw == bytes);
}

}  // namespace
}  // namespace mizan::service
