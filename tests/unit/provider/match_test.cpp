// Every field of a match that is not what the agent offered or the buyer signed is turned down.
#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"
#include "world.hpp"

#include <gtest/gtest.h>

namespace mizan::provider {
namespace {

using testing::FakeLease;
using testing::World;

struct Spoiled {
  const char* answer;  ///< what the exchange is told; "" means accepted
  std::function<void(World&, FakeLease&)> how;
  bool sign_again = true;  ///< the buyer has signed the spoiled bid
};

/// Puts another job into the spec, signed by the buyer.
void with_job(FakeLease& lease, const std::function<void(job::Job&)>& change) {
  auto spec = *from_json<job::Spec>(*parse_json(lease.spec), "spec");
  change(spec.job);
  lease.spec = *canonical_json(to_json(spec));
  lease.bid.spec_hash = *canonical_json_hash(*parse_json(lease.spec));
}

const std::vector<Spoiled>& table() {
  static const std::vector<Spoiled> rows = {
      {"", [](World&, FakeLease&) {}},
      {"",
       [](World&, FakeLease& l) {
         auto spec = parse_json(l.spec).value();
         spec.get_object()["declaration"] = json::object{{"end_use", "commercial"}};
         l.spec = canonical_json(spec).value();
         l.bid.spec_hash = canonical_json_hash(spec).value();
       }},
      {"invalid_argument: terms.provider: is another provider",
       [](World&, FakeLease& l) { l.terms.provider = World::key(9).address(); }},
      {"conflict: terms.askHash: is no ask of this agent that is open now",
       [](World&, FakeLease& l) { l.terms.ask_hash.bytes[0] ^= 1; }},
      {"invalid_argument: terms.rate: is below the ask's rate",
       [](World&, FakeLease& l) { --l.terms.rate; }},
      {"invalid_argument: terms.rate: is above the bid's highest rate",
       [](World&, FakeLease& l) { ++l.terms.rate; }},
      {"invalid_argument: terms.nodeCount: the agent has one node",
       [](World&, FakeLease& l) { l.terms.node_count = 2; }},
      {"invalid_argument: terms.nodeCount: the agent has one node",
       [](World&, FakeLease& l) { l.terms.first_node = 1; }},
      {"invalid_argument: terms.unitsPerNode: is no slice of a node that the ask offers",
       [](World&, FakeLease& l) { l.terms.units_per_node = 5; }},
      {"invalid_argument: terms.unitsPerNode: is not what the bid asks for",
       [](World&, FakeLease& l) { l.terms.units_per_node = 2; }},
      {"invalid_argument: terms.seconds: is not within the ask's shortest and longest lease",
       [](World&, FakeLease& l) { l.terms.seconds = 25 * 3'600; }},
      {"invalid_argument: terms.seconds: is longer than the bid allows",
       [](World&, FakeLease& l) { ++l.terms.seconds; }},
      {"invalid_argument: terms.start: the lease does not lie within the ask's window",
       [](World&, FakeLease& l) { l.terms.start = 1; }},
      {"invalid_argument: terms.start: the lease does not lie within the ask's window",
       [](World& w, FakeLease& l) { l.terms.start = w.ask->until - 5; }},
      {"invalid_argument: terms.payeesHash: is not that of the ask",
       [](World&, FakeLease& l) { l.terms.payees_hash.bytes[0] = 1; }},
      {"invalid_argument: terms.buyer: is not the bid's",
       [](World&, FakeLease& l) { l.terms.buyer = World::key(9).address(); }},
      {"invalid_argument: terms.meter: is not the bid's",
       [](World&, FakeLease& l) { l.terms.meter = World::key(9).address(); }},
      {"invalid_argument: terms.meter: is zero, or the clearance key",
       [](World&, FakeLease& l) { l.bid.meter = l.terms.meter = Address{}; }},
      {"invalid_argument: terms.meter: is zero, or the clearance key",
       [](World& w, FakeLease& l) { l.bid.meter = l.terms.meter = w.facts.clearance; }},
      {"invalid_argument: terms.grace: is not the bid's, or not between 10 and 600 seconds",
       [](World&, FakeLease& l) { ++l.terms.grace; }},
      {"invalid_argument: terms.grace: is not the bid's, or not between 10 and 600 seconds",
       [](World&, FakeLease& l) { l.bid.grace = l.terms.grace = 3'600; }},
      {"invalid_argument: terms.feeBps: is above the bid's highest fee",
       [](World&, FakeLease& l) { l.terms.fee_bps = 501; }},
      {"invalid_argument: terms.bidNonce: is not the bid's",
       [](World&, FakeLease& l) { ++l.terms.bid_nonce; }},
      {"unsupported_key: terms.extends: extensions and groups are not built yet",
       [](World&, FakeLease& l) { l.terms.extends.bytes[0] = 1; }},
      {"unsupported_key: terms.extends: extensions and groups are not built yet",
       [](World&, FakeLease& l) { l.terms.group.bytes[0] = 1; }},
      {"invalid_argument: bid.specHash: is not the hash of the spec",
       [](World&, FakeLease& l) { l.bid.spec_hash.bytes[0] ^= 1; }},
      {"unauthenticated: Bid is not signed by the party that it names",
       [](World&, FakeLease& l) { ++l.bid.max_total; }, false},
      {"limit_exceeded: cores: the lease has only 1 units",
       [](World&, FakeLease& l) { with_job(l, [](job::Job& j) { j.cores = 2; }); }},
      {"limit_exceeded: memoryGb: the lease's part of the node has only 4",
       [](World&, FakeLease& l) { with_job(l, [](job::Job& j) { j.memory_gb = 5; }); }},
      {"limit_exceeded: diskGb: the lease's part of the node has only 25",
       [](World&, FakeLease& l) { with_job(l, [](job::Job& j) { j.disk_gb = 26; }); }},
      {"not_found: image: this provider has no image by that name",
       [](World&, FakeLease& l) { with_job(l, [](job::Job& j) { j.image = "oci:other"; }); }},
      {"", [](World&, FakeLease& l) { with_job(l, [](job::Job& j) { j.image = "oci:train"; }); }},
      {"unsupported_key: network: egress is not built yet; use none",
       [](World&, FakeLease& l) { with_job(l, [](job::Job& j) { j.network = "egress"; }); }},
      {"invalid_argument: outputs[0]: climbs out with \"..\"; give a path inside the workdir or an "
       "absolute one",
       [](World&, FakeLease& l) { with_job(l, [](job::Job& j) { j.outputs = {"../x"}; }); }},
  };
  return rows;
}

TEST(Match, IsHeldToTheAgentsOwnWord) {
  World world;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  for (const Spoiled& row : table()) {
    world.last_reject.clear();
    world.before_match = [&](FakeLease& lease) {
      row.how(world, lease);
      if (row.sign_again)
        lease.bid_signature = eip712::sign(world.facts.domain(), lease.bid, world.buyer);
    };
    const LeaseId id = world.match();
    const bool accepted = row.answer[0] == '\0';
    ASSERT_TRUE(world.run_until([&] {
      return accepted ? world.leases.at(id).state == "settled" : !world.last_reject.empty();
    })) << row.answer;
    EXPECT_EQ(world.last_reject, row.answer);
    world.run_until([&] { return world.jobs.empty(); });
    world.run_for(20);
  }
}

TEST(Match, NamesTheLeaseByItsTerms) {
  World world;
  world.boot();
  ASSERT_TRUE(world.run_until([&] { return world.listed(); }));
  world.run_for(10);
  const LeaseId id = world.match();
  const FakeLease lease = world.leases.at(id);
  world.leases.clear();
  world.tell({{"type", "match"},
              {"lease", to_json(sha256("another"))},
              {"terms", to_json(lease.terms)},
              {"bid", to_json(lease.bid)},
              {"bidSignature", to_json(lease.bid_signature)},
              {"spec", *parse_json(lease.spec)},
              {"acceptByMs", 1}});
  world.leases[id] = lease;
  ASSERT_TRUE(world.run_until([&] { return world.rejects == 1; }, 1'000));
  EXPECT_EQ(world.last_reject, "invalid_argument: lease: is not the digest of its terms");
}

TEST(Workload, IsTheSliceOfTheNode) {
  const Capacity capacity{4, 10, 100};
  eip712::Terms terms;
  terms.units_per_node = 1;
  job::Job job;
  Workload load = workload_of({}, terms, job, capacity, 1);
  EXPECT_EQ(load.memory_bytes, (10ULL << 30) / 4) << "a share may be part of a gigabyte";
  EXPECT_EQ(load.disk_bytes, 1ULL << 30);
  job.memory_gb = 2;
  job.disk_gb = 7;
  load = workload_of({}, terms, job, capacity, 1);
  EXPECT_EQ(load.memory_bytes, 2ULL << 30);
  EXPECT_EQ(load.disk_bytes, 7ULL << 30);
  EXPECT_EQ(load.cores, 1U);
}

}  // namespace
}  // namespace mizan::provider
