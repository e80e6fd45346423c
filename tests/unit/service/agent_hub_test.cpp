// Which heartbeats an exchange keeps for buyers that meter themselves.
#include "service/agent_hub.hpp"

#include "support/core_world.hpp"

#include <gtest/gtest.h>

namespace mizan::service {

TEST(AgentHub, KeepsNoHeartbeatThatOnlyTakesRoom) {
  test::CoreWorld w;
  w.grant(test::party(1), 1'000'000);
  w.ok(w.ask(2, 10));
  const LeaseId lease = w.ok(w.bid(1, 20)).leases.at(0);
  w.accept(lease);
  const auto named = [&](size_t strange, size_t own, uint8_t provider = 2) {
    std::vector<eip712::LeaseStatus> all(own, w.status(lease, 2, 0, 1));
    all.resize(own + strange);
    return is_kept(w.heartbeat(provider, std::move(all)), w.core);
  };
  EXPECT_TRUE(named(0, 1));
  EXPECT_TRUE(named(60, 1)) << "it may not have heard of their end";
  EXPECT_FALSE(named(4'000, 1));
  EXPECT_FALSE(named(0, 4'000)) << "one lease again and again";
  EXPECT_FALSE(named(1, 0));
  EXPECT_FALSE(named(0, 1, 3)) << "another provider's";
  w.beat(lease, 4, 0, 0);
  w.ok(exchange::Close{{lease, 0}, {}});
  EXPECT_TRUE(named(0, 1)) << "its last voucher rests on it";
  w.finalize(lease);
  EXPECT_FALSE(named(0, 1));
}

}  // namespace mizan::service
