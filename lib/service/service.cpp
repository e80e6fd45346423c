#include "service/service.hpp"

#include "codec/json.hpp"
#include "crypto/address.hpp"
#include "service/agent_hub.hpp"
#include "service/files.hpp"
#include "service/meter.hpp"
#include "service/routes.hpp"

namespace mizan::service {

using exchange::Exchange;

namespace {

constexpr uint64_t kMeterMs = 500;
constexpr uint64_t kWatchMs = 1000;
constexpr uint64_t kExpireMs = 600'000;
constexpr uint64_t kDayMs = 86'400'000;
constexpr uint64_t kMostAwayDays = 7;

/// "" without any, so that an exchange without policy begins as it always did.
std::string development_options(const std::map<std::string, std::string>& issuers) {
  if (issuers.empty()) return {};
  std::string text = R"({"developmentIssuers":true,"issuers":{)";
  for (const auto& [uri, jwk] : issuers)
    text += (text.ends_with('{') ? "" : ",") + json_text(json::value(uri)) + ":" + jwk;
  return text + "}}";
}

/// A start believes the machine's clock, whose time never goes back: of a wrong one all that is
/// open would fall due at once, for good.
Result<void> check_clock(const Exchange& recovered, UnixMs now, bool is_right) {
  if (!recovered.config() || now <= recovered.now() || is_right) return {};
  const uint64_t days = (now.ms - recovered.now().ms) / kDayMs;
  if (days < kMostAwayDays) return {};
  return fail(Error{
      ErrorCode::conflict,
      "this machine's clock says that " + std::to_string(days) +
          " days have passed since the journal's last command: set the clock, or, if "
          "it is right, start once with --clock-is-right",
      {}}.with("field", "clock_is_right"));
}

exchange::Genesis genesis_of(const ServiceConfig& config, const ExchangeKeys& keys) {
  exchange::Genesis genesis;
  genesis.exchange_id = keys.exchange_id();
  genesis.operator_ = config.operator_;
  genesis.identity = keys.identity.address();
  genesis.meter = keys.meter.address();
  genesis.clearance = keys.clearance.address();
  genesis.fee_to = config.operator_;
  genesis.fee_bps = config.fee_bps;
  genesis.voucher_interval_s = config.voucher_interval_s;
  genesis.readiness_s = config.readiness_s;
  genesis.limits = config.limits;
  if (config.rules && !config.rules->is_empty()) genesis.rule_set = config.rules->hash();
  genesis.policy = development_options(config.development_issuers);
  genesis.chain = config.settlement;
  return genesis;
}

/// What the journal began with is for good; another configuration would not be this exchange.
Result<void> check_genesis(const exchange::Genesis& kept, const exchange::Genesis& wanted,
                           const std::optional<ChainConfig>& chain) {
  const auto differs = [](const std::string& field, const std::string& is) {
    return fail(Error{
        ErrorCode::conflict,
        field + ": this state folder was made with " + is +
            ", which cannot change; use that, or another folder",
        {}}.with("field", field));
  };
  // On a chain another clearance key may take the place of one that was stolen.
  if (kept.identity != wanted.identity || kept.meter != wanted.meter ||
      (!kept.chain && kept.clearance != wanted.clearance))
    return differs("keys", "other keys (identity " + to_checksum(kept.identity) + ")");
  if (kept.operator_ != wanted.operator_) return differs("operator", to_checksum(kept.operator_));
  if (kept.fee_bps != wanted.fee_bps) return differs("fee_bps", std::to_string(kept.fee_bps));
  if (kept.voucher_interval_s != wanted.voucher_interval_s)
    return differs("voucher_interval", std::to_string(kept.voucher_interval_s) + " s");
  if (kept.readiness_s != wanted.readiness_s)
    return differs("readiness", std::to_string(kept.readiness_s) + " s");
  if (kept.chain.has_value() != chain.has_value())
    return differs("settlement", kept.chain ? "evm" : "credits");
  if (chain && chain->chain_id != kept.chain->chain_id)
    return differs("chain.chain_id", std::to_string(kept.chain->chain_id));
  if (chain && chain->contract != kept.chain->contract)
    return differs("chain.contract", to_checksum(kept.chain->contract));
  if (chain && chain->depth != kept.chain->depth)
    return differs("chain.depth", std::to_string(kept.chain->depth));
  if (chain && chain->least_escrow.nano != kept.chain->least_escrow)
    return differs("chain.least_escrow", format_usd(Money{kept.chain->least_escrow}));
  return {};
}

const LeaseId* lease_of(const exchange::Event& event) {
  return std::visit(
      [](const auto& e) -> const LeaseId* {
        if constexpr (requires { e.lease; }) return &e.lease;
        return nullptr;
      },
      event);
}

}  // namespace

struct Service::Impl {
  Impl(ServiceConfig config, ServiceParts parts, Exchange recovered,
       std::unique_ptr<ArtifactStore> artifacts, std::unique_ptr<RuleStore> rules)
      : context(std::move(config), parts, std::move(recovered), std::move(artifacts),
                std::move(rules)) {}

  void observe(const exchange::Outcome& outcome, const Exchange& exchange) {
    for (const exchange::Event& event : outcome.events) {
      agents.tell(event, exchange);
      if (desk) desk->tell(event);
      log_policy(event);
      if (const auto* approved = std::get_if<exchange::Approved>(&event))
        streams.renamed(approved->held, approved->lease);
      if (const auto* closing = std::get_if<exchange::LeaseClosing>(&event))
        meter.finalize(closing->lease, closing->cumulative, closing->vouchered);
      if (const LeaseId* id = lease_of(event))
        if (const exchange::Lease* lease = exchange.find_lease(*id)) streams.lease_changed(*lease);
    }
  }

  void log_policy(const exchange::Event& event) const;
  Result<void> check_policy() const;
  void tick();
  Result<void> begin();

  Context context;
  LeaseStreams streams{context};
  OfferWatch watch{context};
  AgentHub agents{context, streams};
  Routes routes{context, agents, streams, watch};
  Meter meter{context};
  std::unique_ptr<ChainDesk> desk;  ///< of kind evm alone
  MonotonicMs metered{};
  MonotonicMs watched{};
  MonotonicMs expired{};
};

Service::Service(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Service::~Service() = default;

Sequencer& Service::sequencer() {
  return impl_->context.sequencer;
}
const SharedExchange& Service::state() const {
  return impl_->context.state;
}
ChainDesk* Service::chain() {
  return impl_->desk.get();
}
Context& Service::context() {
  return impl_->context;
}

Result<std::unique_ptr<Service>> Service::open(ServiceConfig config, ServiceParts parts) {
  // The names beside it, the journal's among them, are durable with its own.
  MIZAN_CHECK(make_folder(config.state / "logs"));
  MIZAN_TRY(rules, RuleStore::open(config.state / "rulesets"));
  // Before Genesis names it; at a later start the operator brings other rules by the API.
  if (parts.journal.head().sequence == 0 && config.rules && !config.rules->is_empty())
    MIZAN_CHECK(rules->keep(config.rules));
  MIZAN_TRY(recovered, recover_state(parts.journal, false, rules->all()));
  MIZAN_CHECK(check_clock(recovered, parts.clock.now(), config.clock_is_right));
  MIZAN_TRY(artifacts, ArtifactStore::open(config.state / "artifacts", config.artifacts));
  auto impl = std::make_unique<Impl>(std::move(config), parts, std::move(recovered),
                                     std::move(artifacts), std::move(rules));
  MIZAN_CHECK(impl->begin());
  return std::unique_ptr<Service>(new Service(std::move(impl)));
}

Result<void> Service::Impl::begin() {
  context.sequencer.set_signer(context.domain, context.parts.keys.identity);
  context.sequencer.set_observer([this](const exchange::Outcome& outcome,
                                        const Exchange& exchange) { observe(outcome, exchange); });
  const auto& kept = context.state.unlocked().config();
  const exchange::Genesis genesis = genesis_of(context.config, context.parts.keys);
  std::optional<Error> refused;
  const auto note = [&refused](const Result<Applied>& applied) {
    if (refused) return;  // what follows a refused Genesis is refused for its lack
    if (!applied)
      refused = applied.error();
    else if (!applied->outcome.answer)
      refused = applied->outcome.answer.error();
  };
  if (kept)
    MIZAN_CHECK(check_genesis(*kept, genesis, context.config.chain));
  else if (context.config.chain && !context.config.settlement)
    return fail(ErrorCode::internal,
                "a new exchange on a chain has to learn of its contract first");
  else
    context.sequencer.submit(genesis, std::nullopt, note);
  context.sequencer.submit(exchange::Resume{}, std::nullopt, note);
  const Address clearance = context.parts.keys.clearance.address();
  if (kept && kept->chain && context.state.unlocked().clearance() != clearance) {
    context.parts.log.warn("clearance_key",
                           {{"address", to_checksum(clearance)},
                            {"note",
                             "another one than before; leases open once the contract's "
                             "guardian has put it in force"}});
    context.sequencer.submit(exchange::UseClearanceKey{clearance}, std::nullopt, note);
  }
  while (context.sequencer.step()) {
  }
  if (refused) return fail(*std::move(refused));
  MIZAN_CHECK(check_policy());
  if (context.parts.chain != nullptr && context.state.unlocked().config()->chain) {
    MIZAN_TRY(opened, ChainDesk::open(context));
    desk = std::move(opened);
  }
  meter.finalize_closing(context.state.unlocked());
  while (context.sequencer.step()) {
  }
  return {};
}

/// Says what the operator should know of the policy that this exchange lives under.
Result<void> Service::Impl::check_policy() const {
  const Exchange& core = context.state.unlocked();
  const Log& log = context.parts.log;
  const std::string in_force = core.rules().hash_text();
  if (core.policy_options().development_issuers) {
    if (context.config.development_issuers.empty())
      return fail(Error{
          ErrorCode::conflict,
          "this exchange accepts a development issuer, which vouches for anything: start it with "
          "--development-issuer, or use another state folder",
          {}}.with("field", "development_issuer"));
    log.warn("development_issuers", {{"note", "whoever holds their keys passes for anybody"}});
  } else if (!context.config.development_issuers.empty()) {
    log.warn("development_issuer_not_in_force",
             {{"note", "only a new state folder begins with it"}});
  }
  if (core.rules().is_empty() && core.config()->chain &&
      core.config()->chain->chain_id != exchange::kDevelopmentChain)
    return fail(no_rules_on_a_chain());
  if (core.rules().is_empty())
    log.warn("no_rules",
             {{"ruleSet", in_force},
              {"note", "NOTHING IS ASSESSED: every deal is allowed, whoever it is for"}});
  else
    log.info("rules", {{"ruleSet", in_force}});
  const auto& given = context.config.rules;
  if (given && given->hash() != core.rules().hash())
    log.warn("other_rules_in_force",
             {{"ruleSet", in_force},
              {"given", given->hash_text()},
              {"note", "the operator brings rules into force with: mizan policy set"}});
  return {};
}

/// What the operator must hear of. Accounts are pseudonyms; nothing of what they proved is logged.
void Service::Impl::log_policy(const exchange::Event& event) const {
  const Log& log = context.parts.log;
  if (const auto* changed = std::get_if<exchange::PolicyChanged>(&event))
    log.warn("policy_changed", {{"ruleSet", hex0x(changed->rule_set.view())}});
  if (const auto* held = std::get_if<exchange::Held>(&event))
    log.info("deal_held", {{"lease", hex0x(held->lease.view())}, {"note", held->note}});
  if (const auto* review = std::get_if<exchange::WouldNotPass>(&event))
    log.warn("would_not_pass", {{"lease", hex0x(review->lease.view())},
                                {"verdict", review->verdict},
                                {"note", review->note}});
  if (const auto* proven = std::get_if<exchange::FactsProven>(&event);
      proven != nullptr && proven->parent_changed)
    log.warn("parent_changed", {{"account", to_checksum(proven->account)}});
  if (const auto* frozen = std::get_if<exchange::AccountFrozen>(&event))
    log.warn(frozen->frozen ? "account_frozen" : "account_released",
             {{"account", to_checksum(frozen->account)}});
}

void Service::Impl::tick() {
  const Exchange& exchange = context.state.unlocked();
  const auto deadline = exchange.next_deadline();
  const UnixMs time = context.time.now();
  if (deadline && *deadline <= time && exchange.now() < time)
    context.sequencer.submit(exchange::Tick{}, std::nullopt, nullptr);
  const MonotonicMs now = context.parts.clock.monotonic();
  const auto due = [now](MonotonicMs& last, uint64_t every) {
    if (last.ms != 0 && now.ms < last.ms + every) return false;
    last = now;
    return true;
  };
  if (due(metered, kMeterMs)) meter.post_due(exchange);
  if (due(watched, kWatchMs)) context.parts.pool.post([this] { watch.tick(); });
  if (due(expired, kExpireMs))
    context.parts.pool.post([this] {
      const UnixMs now_s = context.time.now();
      context.artifacts->expire(now_s);
      const uint64_t keep = context.config.artifacts.keep_seconds;
      context.logs.expire(
          now_s.seconds() > keep ? now_s.seconds() - keep : 0, [this](const LeaseId& id) {
            // A file's date is the machine's: after that clock was set back, the
            // exchange's own may be far ahead of it. The lease knows its end.
            return context.state.read(
                [&](const Exchange& core) { return core.find_lease(id) != nullptr; });
          });
    });
}

bool Service::step() {
  const bool worked = impl_->context.sequencer.step();
  if (!impl_->context.sequencer.failed()) impl_->tick();
  return worked;
}

net::Milliseconds Service::idle_for(net::Milliseconds most) const {
  const auto deadline = impl_->context.state.unlocked().next_deadline();
  if (!deadline) return most;
  const UnixMs now = impl_->context.time.now();
  if (*deadline <= now) return net::Milliseconds{0};
  return std::min(most, net::Milliseconds{static_cast<int64_t>(deadline->ms - now.ms)});
}

void Service::plan(const net::Request& head, net::PlanAnswer answer) {
  // Only an upload has to be looked into: who sends it, and whether there is room.
  if (head.method != "PUT") return answer(impl_->routes.plan(head));
  impl_->context.parts.pool.post(
      [this, head, answer = std::move(answer)] { answer(impl_->routes.plan(head)); });
}

void Service::handle(net::Request request, std::shared_ptr<net::BodySink> sink,
                     net::Respond respond) {
  impl_->context.parts.pool.post([this, request = std::move(request), sink = std::move(sink),
                                  respond = std::move(respond)]() mutable {
    impl_->routes.handle(std::move(request), std::move(sink), std::move(respond));
  });
}

void Service::upgrade(net::Request head, net::UpgradeAnswer answer) {
  impl_->context.parts.pool.post([this, head = std::move(head), answer = std::move(answer)] {
    answer(impl_->routes.upgrade(head));
  });
}

}  // namespace mizan::service
