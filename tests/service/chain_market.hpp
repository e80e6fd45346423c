// An exchange on a chain, a provider with much to offer, and buyers: for tests of the chain desk.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "service/chain_desk.hpp"
#include "service/world.hpp"

namespace mizan::service {

struct ChainMarket {
  ChainMarket(const exchange::ChainSettlement& settlement, const ChainParts& parts)
      : world(
            [settlement](ServiceConfig& config) {
              config.chain = ChainConfig{"http://127.0.0.1:1", settlement.chain_id,
                                         settlement.contract, settlement.depth, 0};
              config.settlement = settlement;
            },
            &parts) {}

  /// The provider comes, and lists what it has.
  void list() {
    agent = world.open("/v1/agent", &world.provider);
    eip712::Ask ask = world.ask();
    ask.units_per_node = 400;
    json::object listing = world.ask_body(ask);
    listing["type"] = "ask";
    listing["id"] = 1;
    world.say(agent, listing);
    world.say(agent, world.heartbeat(++beat));
  }
  /// The desk's turns, until nothing more comes of them.
  void turns() {
    for (int i = 0; i < 6; ++i) {
      world.service->chain()->step();
      world.settle();
    }
  }
  /// Of a bid by `buyer`, matched and accepted.
  LeaseId lease(uint64_t nonce, const SecretKey& buyer) {
    eip712::Bid bid = world.bid(nonce);
    bid.latest_start = bid.valid_until = world.clock.now().seconds() + bids_last_s;
    bid.buyer = buyer.address();
    const Answered answer =
        world.post("/v1/bids", json::object{{"bid", to_json(bid)},
                                            {"spec", World::spec()},
                                            {"signature", world.signature(bid, buyer)}});
    EXPECT_EQ(answer.status, 200U) << answer.raw;
    const json::value match = agent.socket->take("match");
    const auto terms = from_json<eip712::Terms>(match.at("terms"), "terms").value();
    world.say(agent, {{"type", "accept"},
                      {"terms", to_json(terms)},
                      {"signature", world.signature(terms, world.provider)}});
    return eip712::digest(world.domain, terms);
  }
  std::vector<LeaseId> leases(uint64_t count) {
    std::vector<LeaseId> out;
    for (uint64_t nonce = 1; nonce <= count; ++nonce) out.push_back(lease(nonce, world.buyer));
    return out;
  }
  void says_phase(const std::vector<LeaseId>& leases, uint8_t phase, uint64_t ran_ms) {
    std::vector<eip712::LeaseStatus> statuses;
    for (const LeaseId& id : leases) statuses.push_back({id, phase, 0, ran_ms, 0, "", {}});
    world.say(agent, world.heartbeat(++beat, std::move(statuses)));
  }
  /// Each runs for two seconds, and the provider gives its word on the end.
  void run(const std::vector<LeaseId>& leases) {
    says_phase(leases, 2, 0);
    world.pass(2'000);
    says_phase(leases, 4, 2'000);
    for (const LeaseId& id : leases) {
      const eip712::Close close{id, 0};
      world.say(agent, {{"type", "close"},
                        {"close", to_json(close)},
                        {"signature", world.signature(close, world.provider)}});
    }
  }
  json::value told(const LeaseId& id, const SecretKey& buyer) {
    return world.get("/v1/leases/" + hex0x(id.view()), &buyer).body;
  }
  std::string state(const LeaseId& id) { return text_of(told(id, world.buyer).at("state")); }

  const SecretKey other = SecretKey::generate();  ///< another buyer
  World world;
  World::Open agent;
  uint64_t beat = 0;
  uint64_t bids_last_s = 60;
};

}  // namespace mizan::service
