// An exchange, some parties and a clock, for tests of the core. Nothing is signed: apply() does not
// look at signatures.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/eip712.hpp"
#include "crypto/hash.hpp"
#include "exchange/exchange.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace mizan::test {

inline Address party(uint8_t n) {
  Address address;
  address.bytes[0] = 0xaa;
  address.bytes[19] = n;
  return address;
}

class CoreWorld {
 public:
  explicit CoreWorld(uint16_t fee_bps = 100, exchange::Limits limits = {},
                     exchange::RuleSets known = {}, exchange::Genesis genesis = {})
      : core(known), rule_sets(std::move(known)) {
    genesis.identity = party(250);
    genesis.operator_ = party(251);
    genesis.meter = party(252);
    genesis.clearance = party(253);
    genesis.fee_to = party(254);
    genesis.fee_bps = fee_bps;
    genesis.limits = limits;
    Bytes seed(as_bytes("mizan-exchange").begin(), as_bytes("mizan-exchange").end());
    seed.insert(seed.end(), genesis.identity.bytes.begin(), genesis.identity.bytes.end());
    genesis.exchange_id = keccak256(seed);
    domain = exchange::domain_of(genesis);
    ok(genesis);
  }

  exchange::Outcome apply(exchange::Command command,
                          std::optional<exchange::Idempotency> key = {}) {
    journal.push_back({core.last_sequence() + 1, now, std::move(key), std::move(command)});
    exchange::Outcome outcome = core.apply(journal.back());
    for (const exchange::Event& event : outcome.events) events.push_back(event);
    return outcome;
  }
  exchange::Answer ok(exchange::Command command) {
    const exchange::Outcome outcome = apply(std::move(command));
    EXPECT_TRUE(outcome.answer) << outcome.answer.error().message;
    return outcome.answer.value_or(exchange::Answer{});
  }
  Error refused(exchange::Command command) {
    const exchange::Outcome outcome = apply(std::move(command));
    EXPECT_FALSE(outcome.answer);
    return outcome.answer ? Error{} : outcome.answer.error();
  }
  ErrorCode code(exchange::Command command) { return refused(std::move(command)).code; }
  void wait_ms(uint64_t ms) { now.ms += ms; }
  void tick(uint64_t ms) {
    wait_ms(ms);
    ok(exchange::Tick{});
  }
  uint64_t seconds() const { return now.seconds(); }

  void grant(const Address& to, u128 amount) {
    ok(exchange::Grant{{to, amount, next_nonce++, seconds() + 600}, {}});
  }
  exchange::PlaceAsk ask(uint8_t provider, u128 rate, uint32_t nodes = 1, uint32_t units = 1) {
    exchange::PlaceAsk out;
    out.ask.provider = party(provider);
    out.ask.chip = "cpu";
    out.ask.nodes = nodes;
    out.ask.units_per_node = units;
    out.ask.min_units = 1;
    out.ask.rate = rate;
    out.ask.until = seconds() + 1'000'000;
    out.ask.max_seconds = 100'000;
    out.ask.nonce = next_nonce++;
    out.attributes =
        R"({"cores":{"source":"measured","value":16},"memory_gb":{"source":"measured","value":64}})";
    return out;
  }
  exchange::PlaceBid bid(uint8_t buyer, u128 max_rate, uint32_t nodes = 1, uint32_t units = 1,
                         uint64_t max_seconds = 100) {
    exchange::PlaceBid out;
    out.bid.buyer = party(buyer);
    out.bid.meter = party(252);
    out.bid.max_rate = max_rate;
    out.bid.nodes = nodes;
    out.bid.units_per_node = units;
    out.bid.max_seconds = max_seconds;
    out.bid.latest_start = seconds() + 1000;
    out.bid.valid_until = seconds() + 1000;
    out.bid.all_or_none = true;
    out.bid.grace = 60;
    out.bid.max_total = ~u128{0};
    out.bid.max_fee_bps = 500;
    out.bid.nonce = next_nonce;
    next_nonce += nodes;
    out.spec = spec("", true);
    return out;
  }
  static std::string spec(const std::string& query, bool immediate) {
    return R"({"immediate_or_cancel":)" + std::string(immediate ? "true" : "false") +
           R"(,"job":{},"query":")" + query + R"(","split":false})";
  }
  const exchange::Lease& lease(const LeaseId& id) const { return *core.find_lease(id); }
  exchange::Answer accept(const LeaseId& id) { return ok(exchange::Accept{lease(id).terms, {}}); }

  eip712::LeaseStatus status(const LeaseId& id, uint8_t phase, uint64_t staged_ms,
                             uint64_t ran_ms) {
    eip712::LeaseStatus out;
    out.lease = id;
    out.phase = phase;
    out.staged_ms = staged_ms;
    out.ran_ms = ran_ms;
    return out;
  }
  exchange::Heartbeat heartbeat(uint8_t provider, std::vector<eip712::LeaseStatus> leases = {}) {
    return {{party(provider), ++heartbeats, now.ms, std::move(leases)}, {}};
  }
  void beat(const LeaseId& id, uint8_t phase, uint64_t staged_ms, uint64_t ran_ms) {
    ok(heartbeat(lease(id).terms.provider.bytes[19], {status(id, phase, staged_ms, ran_ms)}));
  }
  /// What the service does about LeaseClosing.
  void finalize(const LeaseId& id) {
    const bool vouchered = lease(id).final_charge == lease(id).vouchered;
    ok(exchange::Finalize{id, lease(id).final_charge,
                          vouchered ? std::nullopt : std::optional<Signature>(Signature{})});
  }
  template <class E>
  std::vector<E> seen() const {
    std::vector<E> out;
    for (const exchange::Event& event : events)
      if (const E* found = std::get_if<E>(&event)) out.push_back(*found);
    return out;
  }

  /// A second exchange that read the journal so far.
  exchange::Exchange replayed() const {
    exchange::Exchange other(rule_sets);
    for (const exchange::Sequenced& sequenced : journal) {
      const auto decoded = exchange::decode_sequenced(exchange::encode(sequenced));
      EXPECT_TRUE(decoded);
      other.apply(*decoded);
    }
    return other;
  }

  exchange::Exchange core;
  exchange::RuleSets rule_sets;
  eip712::Domain domain = eip712::Domain::credits({});
  UnixMs now{1'800'000'000'500};
  std::vector<exchange::Sequenced> journal;
  std::vector<exchange::Event> events;
  uint64_t next_nonce = 1;
  uint64_t heartbeats = 0;
};

}  // namespace mizan::test
