// What the parts of the service share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/auth.hpp"
#include "service/artifact_store.hpp"
#include "service/executor.hpp"
#include "service/keys.hpp"
#include "service/log_store.hpp"
#include "service/sequencer.hpp"

#include <atomic>

namespace mizan::service {

/// What an operator sets. All of Genesis is fixed by the first start of a state folder.
struct ServiceConfig {
  Address operator_;
  uint16_t fee_bps = 0;
  uint32_t voucher_interval_s = 10;
  uint32_t readiness_s = 60;
  exchange::Limits limits{};
  std::filesystem::path state;  ///< logs/ and artifacts/ stand in it
  uint64_t log_bytes_max = uint64_t{256} << 20;
  ArtifactLimits artifacts{};
  SequencerOptions sequencer{};
  size_t max_watchers = 1000;  ///< of offers
};

/// What the service stands on; all of it outlives the service.
struct ServiceParts {
  const Clock& clock;
  Executor& pool;
  journal::Journal& journal;
  const ExchangeKeys& keys;
  const Log& log;
  exchange::RuleSets rules{};  ///< known from the start; the journal's must be among them
};

struct Context {
  Context(ServiceConfig config_, ServiceParts parts_, exchange::Exchange recovered,
          std::unique_ptr<ArtifactStore> artifacts_)
      : config(std::move(config_)),
        parts(parts_),
        domain(parts.keys.domain()),
        state(std::move(recovered)),
        time(parts.clock, state.unlocked().now()),
        sequencer(parts.journal, state, time, parts.clock, parts.log, config.sequencer),
        authenticator(domain),
        logs(config.state / "logs", config.log_bytes_max),
        artifacts(std::move(artifacts_)) {}

  const ServiceConfig config;
  const ServiceParts parts;
  const eip712::Domain domain;
  SharedExchange state;
  TimeKeeper time;
  Sequencer sequencer;
  net::Authenticator authenticator;
  LogStore logs;
  const std::unique_ptr<ArtifactStore> artifacts;

  std::atomic<uint64_t> requests = 0;
  std::atomic<uint64_t> refusals = 0;
  std::atomic<uint64_t> agents = 0;   ///< connected
  std::atomic<uint64_t> streams = 0;  ///< of leases, connected

  /// Checks who signed a command; see exchange::verify. On any thread.
  Result<void> verify(const exchange::Command& command) const;
};

}  // namespace mizan::service
