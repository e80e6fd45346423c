// Provider: an agent with a real machine and a real exchange.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "provider/agent.hpp"
#include "provider/config.hpp"
#include "provider/inventory.hpp"

#include <atomic>
#include <memory>
#include <stop_token>

namespace mizan::provider {

/// What `mizan provider` tells whoever watches it; all on the thread of run().
struct ProviderEvents {
  /// Once, before the first connection: what is there, and what is offered of it.
  std::function<void(const Inventory&, const Offer&)> on_measured{};
  std::function<void(const Notice&)> on_notice{};
  /// Now and then, at least once a second while something changes.
  std::function<void(const AgentStatus&)> on_status{};
};

/// What is missing on this machine before it can run jobs, as sentences; `warnings` works, but less
/// well. Changes nothing.
struct Readiness {
  std::vector<std::string> missing;
  std::vector<std::string> warnings;
};
Readiness probe_machine(const ProviderConfig& config);

/// Lists this machine, serves leases until `stop`, and leaves the jobs running when it ends: the
/// next run takes them up. Returns an error only where it cannot begin or go on at all: another
/// agent holds the state folder, the machine lacks something, the exchange is another one than
/// before. Waits for an exchange that it has never met.
Result<void> run_provider(const ProviderConfig& config, const SecretKey& key,
                          const ProviderEvents& events, const std::stop_token& stop);

}  // namespace mizan::provider
