// What the parts of the service share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/auth.hpp"
#include "service/artifact_store.hpp"
#include "service/credentials.hpp"
#include "service/executor.hpp"
#include "service/keys.hpp"
#include "service/log_store.hpp"
#include "service/rate_limit.hpp"
#include "service/rule_store.hpp"
#include "service/sequencer.hpp"
#include "settlement/node.hpp"

#include <algorithm>
#include <atomic>

namespace mizan::service {

/// The contract by which an exchange of kind evm settles, and the node that it asks.
struct ChainConfig {
  std::string node{};  ///< URL of its JSON-RPC, which may hold a secret
  uint64_t chain_id = 0;
  Address contract{};
  uint64_t depth = 2;       ///< blocks on top of one until it counts
  uint64_t from_block = 0;  ///< the contract is not older
  /// How many leases' gas there must be for a new one to be made; 0: that is not looked at.
  uint64_t least_gas = 20;
  Money least_escrow{};  ///< of a lease; fixed by the first start
};

/// What an operator sets. All of Genesis is fixed by the first start of a state folder.
struct ServiceConfig {
  Address operator_;
  uint16_t fee_bps = 0;
  uint32_t voucher_interval_s = 10;
  uint32_t readiness_s = 60;
  exchange::Limits limits{};
  std::optional<ChainConfig> chain{};  ///< none: credits
  /// What the contract says, for a new exchange of kind evm (ChainHouse::learn).
  std::optional<exchange::ChainSettlement> settlement{};
  /// That a new exchange begins with; null for the empty rule set.
  std::shared_ptr<const policy::RuleSet> rules{};
  /// Issuers (URI -> JWK as canonical JSON) that a new exchange begins with, for a demonstration:
  /// one that accepts such issuers does not start, or take such options, without any.
  std::map<std::string, std::string> development_issuers{};
  std::filesystem::path status_lists{};          ///< see CredentialDesk
  RateLimitOptions commands{2000, 200};          ///< of an address, by HTTP and by agents' messages
  RateLimitOptions plans{100, 20};               ///< of an address
  RateLimitOptions searches{500, 50};            ///< of offers, of an address
  RateLimitOptions reconnects{60, 2};            ///< of one provider's agents
  RateLimitOptions no_matches{50, 5};            ///< bids of an account that matched nothing
  RateLimitOptions proofs{10, 1};                ///< credentials of an account
  std::filesystem::path state;                   ///< logs/, artifacts/ and rulesets/ stand in it
  uint64_t log_bytes_max = uint64_t{256} << 20;  ///< of one lease
  uint64_t logs_bytes_max = uint64_t{16} << 30;  ///< of all
  ArtifactLimits artifacts{};
  SequencerOptions sequencer{};
  size_t max_watchers = 1000;  ///< of offers
  /// The operator's word that more than a week has passed since the journal's last command.
  bool clock_is_right = false;
  size_t max_watchers_per_address = 50;
};

/// Why an exchange on a chain does not start without rules.
Error no_rules_on_a_chain();

/// What an exchange of kind evm stands on besides.
struct ChainParts {
  settlement::Node& node;  ///< of the chain desk alone
  journal::Journal& outbox;
  const SecretKey& gas;
};

/// How the chain fares, for readers. Safe from many threads.
class ChainBoard {
 public:
  struct Health {
    uint64_t block = 0;         ///< up to which everything was seen
    std::string trouble{};      ///< why it does not go on; "" if it does
    std::optional<u128> gas{};  ///< wei of the account that pays for transactions; once it is known
    bool away = false;          ///< for so long that no lease opens
    uint64_t head = 0;          ///< the node's newest block
    uint64_t depth = 0;         ///< blocks on top of one until it is seen
    std::map<LeaseId, uint64_t> opened{};  ///< leases in blocks above `block`: in which
  };
  Health get() const {
    const std::lock_guard lock(mutex_);
    return health_;
  }
  struct Opening {
    std::optional<uint64_t> blocks;  ///< on top of its own; nothing if it is in no block yet
    uint64_t depth = 0;              ///< as many as are waited for
  };
  /// How far the opening of a lease is that waits for it.
  Opening opening(const LeaseId& lease) const {
    const std::lock_guard lock(mutex_);
    Opening out{{}, health_.depth};
    if (const auto opened = health_.opened.find(lease); opened != health_.opened.end())
      out.blocks = health_.head - std::min(health_.head, opened->second);
    return out;
  }
  void set(Health health) {
    const std::lock_guard lock(mutex_);
    health_ = std::move(health);
  }

 private:
  mutable std::mutex mutex_;
  Health health_;
};

/// What the service stands on; all of it outlives the service.
struct ServiceParts {
  const Clock& clock;
  Executor& pool;
  journal::Journal& journal;
  const ExchangeKeys& keys;
  const Log& log;
  const ChainParts* chain =
      nullptr;  ///< without it, an exchange of kind evm sends and sees nothing
};

/// In which an exchange signs: of the state's kind, or of what is to become its Genesis.
eip712::Domain domain_for(const exchange::Exchange& exchange, const ServiceConfig& config,
                          const ExchangeKeys& keys);

struct Context {
  Context(ServiceConfig config_, ServiceParts parts_, exchange::Exchange recovered,
          std::unique_ptr<ArtifactStore> artifacts_, std::unique_ptr<RuleStore> rules_)
      : config(std::move(config_)),
        parts(parts_),
        domain(domain_for(recovered, config, parts.keys)),
        state(std::move(recovered)),
        time(parts.clock, state.unlocked().now()),
        sequencer(parts.journal, state, time, parts.clock, parts.log, config.sequencer),
        authenticator(domain, time.now()),
        logs(config.state / "logs", config.log_bytes_max, config.logs_bytes_max,
             [this](const LeaseId& id) {
               const exchange::Lease* lease = state.unlocked().find_lease(id);
               return lease == nullptr ? Address{} : lease->terms.provider;
             }),
        artifacts(std::move(artifacts_)),
        rules(std::move(rules_)),
        credentials(hex0x(parts.keys.exchange_id().view()), config.status_lists),
        commands(parts.clock, config.commands, "orders and messages from this address"),
        plans(parts.clock, config.plans, "plans from this address"),
        searches(parts.clock, config.searches, "searches for offers from this address"),
        reconnects(parts.clock, config.reconnects, "connections of this provider's agent"),
        no_matches(parts.clock, config.no_matches, "bids of this account that matched nothing"),
        proofs(parts.clock, config.proofs, "credentials of this account") {}

  const ServiceConfig config;
  const ServiceParts parts;
  const eip712::Domain domain;
  SharedExchange state;
  TimeKeeper time;
  Sequencer sequencer;
  net::Authenticator authenticator;
  LogStore logs;
  const std::unique_ptr<ArtifactStore> artifacts;
  const std::unique_ptr<RuleStore> rules;
  CredentialDesk credentials;
  RateLimit commands;
  RateLimit plans;
  RateLimit searches;
  RateLimit reconnects;
  RateLimit no_matches;
  RateLimit proofs;

  ChainBoard chain;
  std::atomic<uint64_t> requests = 0;
  std::atomic<uint64_t> refusals = 0;
  std::atomic<uint64_t> agents = 0;   ///< connected
  std::atomic<uint64_t> streams = 0;  ///< of leases, connected

  /// What a stranger's command has to pass before the journal: the limits of its address, each
  /// kCommandBytes of it as a command, and `verify`. On any thread.
  Result<void> admit(const std::string& peer, const exchange::Command& command);
  /// Checks who signed a command; see exchange::verify. On any thread.
  Result<void> verify(const exchange::Command& command) const;

  static constexpr size_t kCommandBytes = 4096;
};

}  // namespace mizan::service
