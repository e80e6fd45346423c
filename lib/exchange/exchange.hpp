// The exchange: commands in, events out. Composes market, ledger and policy.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/command.hpp"
#include "exchange/event.hpp"
#include "exchange/options.hpp"
#include "exchange/state.hpp"
#include "ledger/mirror.hpp"
#include "market/reason.hpp"
#include "policy/rule_set.hpp"

#include <memory>

namespace mizan::exchange {

/// Rule sets by their hash. The empty one need not be there.
using RuleSets = std::map<Hash32, std::shared_ptr<const policy::RuleSet>>;

/// The first answer to a command, and again to every repetition under its idempotency key.
struct Answer {
  OrderId order;                  ///< of PlaceAsk and PlaceBid; else zero
  std::vector<LeaseId> leases{};  ///< that PlaceBid matched; for lease commands, the lease
  bool resting = false;           ///< a standing bid that waits for an ask
  bool repeated = false;          ///< nothing was done: the answer of an earlier command
};

/// What came of a command. A refused command changed nothing but sequence and time, though the
/// deadlines that its time brought due may have made events.
struct Outcome {
  Result<Answer> answer;
  /// With no_match: what removed which offers. Dimension "policy": offers that fit and that policy
  /// kept away, one line a rule, which `nearest` names with its head and sentence.
  std::vector<market::Reason> reasons{};
  std::vector<Event> events{};  ///< in the order in which they happened
};

/// The deterministic core. One thread; readers see the state between two commands. References and
/// pointers that readers get are good until the next apply. Movable, not copyable.
class Exchange {
 public:
  explicit Exchange(RuleSets rules = {});
  Exchange(Exchange&&) noexcept;
  Exchange& operator=(Exchange&&) noexcept;
  ~Exchange();

  /// Stops the process unless sequence = last_sequence() + 1, time >= now() and knows_rules(): the
  /// service sees to all three.
  Outcome apply(const Sequenced& sequenced);

  /// Makes a rule set known, that SetPolicy may then name; between two commands, by the thread that
  /// applies them. What is known never changes what a journal does: apply insists on it.
  void know_rules(std::shared_ptr<const policy::RuleSet> rules);
  /// An error (not_found) that names the hash if the command brings a rule set into force that is
  /// not known: at replay, a reason not to start.
  Result<void> knows_rules(const Command& command) const;
  const RuleSets& known_rules() const;

  /// The whole state in canonical bytes: equal states give equal bytes on every machine.
  Bytes encode() const;
  /// An error (corrupted) for bytes that `encode` does not write; not_found, which names the hash,
  /// if `rules` lacks the rule set in force.
  static Result<Exchange> restore(ByteView snapshot, RuleSets rules = {});
  /// Keccak-256 of encode(); reads the whole state.
  Hash32 state_hash() const;

  uint64_t last_sequence() const;
  UnixMs now() const;  ///< of the last command
  /// What Genesis said; nothing before it.
  const std::optional<Genesis>& config() const;
  /// When the next deadline falls due: submit Tick then. Nothing while none is set.
  std::optional<UnixMs> next_deadline() const;
  /// Goes up whenever an offer came, went or changed: for watchers of offers.
  uint64_t version() const;

  /// Also by the id that it had while it was held.
  const Lease* find_lease(const LeaseId& id) const;
  /// Leases in which `account` is buyer or provider, newest first, live and kept ones.
  std::vector<const Lease*> leases_of(const Address& account) const;
  std::vector<const Lease*> all_leases() const;  ///< newest first, for the operator
  size_t live_leases() const;                    ///< how many are not over
  /// The leases of a provider that are neither held nor over, oldest first: for the agent's
  /// `welcome`.
  std::vector<const Lease*> live_leases_of(const Address& provider) const;
  /// Leases with covered time that no voucher holds yet and whose interval has passed.
  std::vector<const Lease*> due_vouchers() const;
  /// Leases that wait for Finalize.
  std::vector<const Lease*> closing() const;

  /// What the contract holds, as far as it was told: its places too. Null on credits.
  const ledger::Mirror* chain() const;
  /// A lease that opened on the contract and that this exchange never cleared, as long as the key
  /// that it opened by is in force.
  std::optional<LeaseId> chain_alarm() const;
  const Address& clearance() const;  ///< with which the exchange signs clearances
  bool gas_is_low() const;
  bool chain_away() const;  ///< as ChainAway said last
  /// An error (unavailable) that says why no lease can open now.
  Result<void> opens() const;
  std::vector<const Lease*> opening() const;   ///< those that wait for the chain's Opened
  std::vector<const Lease*> settling() const;  ///< and for its Closed
  /// Those whose buyer's request (Lease::request) the contract has not heard.
  std::vector<const Lease*> stopping() const;

  const PolicyInForce& policy() const;
  const PolicyOptions& policy_options() const;
  const policy::RuleSet& rules() const;  ///< in force; the empty one before Genesis
  /// Who may decide, list and file: the operator and the officers of the options.
  bool is_officer(const Address& address) const;
  std::vector<const Lease*> held() const;        ///< deals that wait for an officer, oldest first
  static UnixMs held_until(const Lease& lease);  ///< of a held one
  std::vector<const Lease*> review() const;      ///< live leases that would not pass now
  const PartyFacts* facts_of(const Address& account) const;  ///< also when they have expired
  /// Whether its facts count now: not expired, and by an issuer that is accepted.
  bool facts_hold(const Address& account) const;
  bool is_frozen(const Address& account) const;
  const std::map<Subject, Listings>& listings() const;
  const std::map<std::string, eip712::LicenceOnFile>& licences() const;

  AccountView account(const Address& address) const;
  MoneyTotals totals() const;
  std::optional<Offer> find_ask(const OrderId& id) const;
  std::vector<Offer> asks_of(const Address& provider) const;  ///< lapsed ones too
  std::vector<OpenBid> bids_of(const Address& buyer) const;   ///< resting ones

  /// Live offers that the query holds for (whole nodes), sorted by `order` ("rate,-reliability";
  /// "" is by rate), at most `limit`.
  Result<std::vector<Offer>> offers(std::string_view query, std::string_view order,
                                    size_t limit) const;
  /// The offers that a bid like this would meet now, best first, at most `limit`; none is
  /// `no_match` and `reasons` says why. The path is that of matching; nothing changes.
  Result<std::vector<PlanLine>> plan(const PlanRequest& request, size_t limit,
                                     std::vector<market::Reason>* reasons) const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

/// What a lease that waits for its Closed (Exchange::settling) can be brought now.
struct EndWants {
  bool close = false;     ///< the provider's word is here
  bool claim = false;     ///< the voucher pays more than was paid, and as much as it ever will
  bool finalize = false;  ///< the contract's delay is over
};
/// By what the contract was seen to say, its clock and its stop, which are not the exchange's.
EndWants end_wants(const Lease& lease, const ledger::Mirror& mirror, uint64_t close_delay_s);

}  // namespace mizan::exchange
