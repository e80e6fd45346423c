// What the agent's tests expect of a lease that has come to its end.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "world.hpp"

#include <gtest/gtest.h>

namespace mizan::provider::testing {

/// A world with a job that runs.
struct Running {
  World world;
  LeaseId id;
  explicit Running(Script script = {}, const std::function<void(World&)>& change = {})
      : world(script) {
    if (change) change(world);
    world.boot();
    world.run_until([&] { return world.listed(); });
    world.run_for(10);
    id = world.match();
    world.run_until([&] { return world.leases.at(id).status.phase == 2; });
  }
  FakeLease& lease() { return world.leases.at(id); }
};

inline bool over(const World& world, const LeaseId& id) {
  return world.leases.at(id).over();
}

/// All is gone that a lease has left behind.
inline void expect_clean(const World& world) {
  EXPECT_TRUE(world.jobs.empty());
  for (const auto& [name, text] : world.files) EXPECT_FALSE(name.starts_with("lease-")) << name;
}

inline void expect_done(World& world, const LeaseId& id) {
  const FakeLease& lease = world.leases.at(id);
  EXPECT_EQ(lease.state, "settled");
  EXPECT_EQ(lease.closed, 1);
  EXPECT_EQ(lease.funded, 1);
  EXPECT_EQ(world.starts, 1U) << "a job is started once";
  EXPECT_EQ(lease.log, world.full_log()) << "no line lost and none double";
  EXPECT_EQ(lease.status.exit_code, world.script.exit_code);
  EXPECT_EQ(lease.status.reason, "failed");
  EXPECT_EQ(lease.status.ran_ms, world.script.runs_ms);
  EXPECT_EQ(lease.status.outputs, World::sealed_hash(id));
  EXPECT_TRUE(world.run_until(
      [&] { return world.agent && world.jobs.empty() && world.agent->status().leases.empty(); },
      20'000));
  expect_clean(world);
}

}  // namespace mizan::provider::testing
