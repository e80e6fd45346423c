// The rule sets, and one state of a small exchange, that the targets of lib/exchange start from.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "property/core_driver.hpp"
#include "property/core_model.hpp"

namespace mizan::fuzz {

inline const exchange::RuleSets& known_rules() {
  static const exchange::RuleSets kRules = test::CoreDriver(1).rules();
  return kRules;
}

/// After `steps` random commands, always the same.
inline Bytes state_after(uint64_t steps) {
  test::CoreDriver driver(1);
  test::CoreModel model;
  exchange::Exchange core(known_rules());
  exchange::Sequenced command{1, {1'800'000'000'000}, {}, driver.genesis()};
  for (uint64_t step = 0; step < steps; ++step) {
    const exchange::Outcome outcome = core.apply(command);
    model.follow(core, outcome.events);
    driver.heard(command, outcome);
    command = driver.next(core, model.live);
  }
  return core.encode();
}

/// What apply insists on, which the service sees to: the next sequence, a time that never
/// decreases, a rule set that is known. False where the last cannot be.
inline bool put_in_place(exchange::Sequenced& command, const exchange::Exchange& core,
                         uint64_t most_ms) {
  command.sequence = core.last_sequence() + 1;
  const uint64_t now = core.now().ms;
  command.time.ms = std::clamp(command.time.ms, now, now + most_ms);
  return core.knows_rules(command.command).has_value();
}

}  // namespace mizan::fuzz
