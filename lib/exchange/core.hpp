// The inside of Exchange: what is derived from its state, and a function for each command.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/deadlines.hpp"
#include "exchange/memo.hpp"
#include "exchange/records.hpp"
#include "market/bid_queue.hpp"

namespace mizan::exchange {

/// What the leases of a subject use that are not over.
struct Use {
  uint64_t accelerators = 0;                 ///< units
  uint64_t cores = 0;                        ///< units of nodes without accelerators
  uint32_t held = 0;                         ///< leases that wait for an officer
  std::map<std::string, u128> unit_seconds;  ///< by chip, as long as they may run
};

/// A pair that policy is asked about.
struct Deal {
  const AskRecord& ask;
  const Address& buyer;
  const Declaration& declaration;
  const Hash32& declaration_hash;
  uint64_t units = 0;
  uint64_t seconds = 0;
};

/// What a search for a match found.
struct Choice {
  market::Fill fill;
  bool held = false;
};

class Exchange::Core {
 public:
  // exchange.cpp
  Outcome apply(const Sequenced& sequenced);
  /// Fills what is derived; an error if the state contradicts itself.
  Result<void> rebuild();

  Result<void> check_live(const Lease& lease) const;
  Result<void> check_policy() const;

  // readers.cpp
  Offer offer(const OrderId& id, const AskRecord& record) const;
  market::Demand demand(const BidRecord& record, const Spec& spec) const;
  std::optional<UnixMs> next_deadline() const;
  std::vector<const Lease*> leases_of(const Address& account) const;

  // facts.cpp: what the journal knows, as cases
  bool facts_hold(const PartyFacts& facts) const;
  bool is_frozen(const Address& account) const;
  std::vector<Subject> subjects_of(const Address& account) const;
  policy::Party party_of(const Address& account) const;
  bool same_person(const Address& a, const Address& b) const;
  /// Whether the buyer pays itself: provider or a payee are keys of its person.
  bool pays_itself(const Address& buyer, const Address& provider,
                   const std::vector<Payee>& payees) const;
  CaseFile case_of(const Deal& deal) const;
  /// Of a lease that is not over: its own facts, and the parties, sums and rules of now.
  CaseFile case_anew(const Lease& lease) const;

  // readers.cpp
  const Lease* lease_by(const LeaseId& id) const;
  static UnixMs held_until(const Lease& lease);

  // chain.cpp
  /// The stray lease whose key is in force still.
  std::optional<LeaseId> alarm() const;
  /// Whether the contract opens what the exchange clears; and whether there is gas for new leases.
  Result<void> check_clears() const;
  Result<void> check_opens() const;
  void wake_bids_if_opens(bool opened_before);
  /// Whether a lease's escrow is below the least of Genesis.
  bool is_below_least(Rate rate, uint64_t units, uint64_t seconds) const;
  market::Reason least_reason(uint64_t removed) const;
  /// The buyer's request is here and the contract has not heard it.
  bool wants_stop(const Lease& lease) const;

  State state;
  RuleSets known_rules;
  std::shared_ptr<const policy::RuleSet> rules;  // in force
  PolicyOptions options;
  // Derived, for readers too.
  market::Book book;
  market::BidQueue queue;  // the resting bids
  IdMap<Address, std::set<OrderId>> asks_by_provider;
  IdMap<Address, std::set<OrderId>> asks_by_payee;
  IdMap<Address, std::set<OrderId>> bids_by_buyer;
  IdMap<Address, std::map<uint64_t, LeaseId>> leases_by_party;
  IdMap<Address, std::map<uint64_t, LeaseId>> leases_by_payee;  // those that are not over
  std::map<uint64_t, LeaseId> leases_by_number;
  IdMap<Address, uint32_t> live_leases;  // of buyers
  std::set<LeaseId> unvouchered;
  std::set<LeaseId> closing;
  std::set<LeaseId> opening;             // on a chain: its Opened is awaited
  std::set<LeaseId> stopping;            // and the buyer's CloseRequested
  std::set<LeaseId> settling;            // and its Closed
  std::map<uint64_t, LeaseId> held;      // by number
  std::map<uint64_t, LeaseId> reviewed;  // leases with a review
  IdMap<LeaseId, LeaseId> held_ids;      // id while it was held -> id
  Places places;
  uint64_t version = 0;

 private:
  friend class Exchange;
  using Answered = Result<Answer>;

  // exchange.cpp
  Answered dispatch(const Sequenced& sequenced);
  bool keeps_answer(const Address& account, const Command& command) const;
  Answered run(const Genesis& command);
  Answered run(const Resume& command);
  Answered run(const Tick& command);

  // orders.cpp
  Answered run(const Grant& command);
  Answered run(const PlaceAsk& command);
  Answered run(const CancelAsk& command);
  Answered run(const PlaceBid& command);
  Answered run(const CancelBids& command);
  Result<void> check_bid(const eip712::Bid& bid) const;
  Answered rest(const OrderId& id, BidRecord&& record, const Spec& spec);
  Error no_match_error(const BidRecord& record, const Spec& spec);
  void add_to_book(const OrderId& id, AskRecord& record, AskText text);
  void remove_ask(const OrderId& id);
  void end_bid(const OrderId& id, BidChange change);
  void cancel_nonces(const Address& owner, uint64_t word, const U256& mask);
  size_t open_orders(const Address& account) const;
  Result<void> check_open_orders(const Address& account) const;
  Result<void> check_not_frozen(const Address& account) const;
  Result<void> check_least_escrow(const eip712::Ask& ask) const;
  Result<void> check_least_escrow(const eip712::Bid& bid) const;
  static UnixMs bid_deadline(const eip712::Bid& bid);
  static UnixMs ask_deadline(const eip712::Ask& ask);

  // matching.cpp
  /// Finds an ask for the bid and makes the lease; nothing if none fits, an error (of the money) if
  /// one does that the buyer cannot pay.
  Result<std::optional<LeaseId>> match(const OrderId& id, const BidRecord& record,
                                       const Spec& spec);
  Result<LeaseId> make_lease(const OrderId& id, const BidRecord& record, const Choice& choice);
  /// Takes a bid out of the queue whose lease was made.
  void take_from_queue(const OrderId& id, BidRecord& record, const LeaseId& lease);
  /// Offers an ask's free units to the resting bids, best first.
  void offer_to_queue(const OrderId& ask_id);
  void undo(Lease& lease, const std::string& reason, bool again);
  void match_again(const OrderId& id);
  void retry(const OrderId& id);
  void retry_of(const Address& buyer, bool starved_alone);
  void retry_woken();
  /// What freed units, new money and new facts make possible; at the end of every command.
  void settle_matches();
  void release_units(const Lease& lease);
  UnixMs accept_by(const Lease& lease) const;
  void set_declaration(BidRecord& record, const Spec& spec) const;

  // consider.cpp: candidates before policy
  const KnownParty& known_party(const Address& account);
  const Judgement& judge_deal(const Deal& deal);
  /// Whether its escrow would be below the least; noted.
  bool is_too_small(const BidRecord& record, const market::Fill& fill);
  /// Whether the bid was turned down so often that it meets no provider without a record any more.
  bool is_too_strange(const BidRecord& record, const market::Fill& fill) const;
  /// Whether some lease of the offer's provider ended well.
  bool has_record(const market::Fill& fill) const;
  /// Whether the pair may become a lease (held: only `may_hold`); what policy keeps apart is noted.
  std::optional<Choice> consider(const OrderId& bid, const BidRecord& record,
                                 const market::Fill& fill, bool may_hold);
  /// Tells of what was noted and forgets it: events, and reasons of the answer.
  void tell_refusals(bool with_reasons);
  uint64_t held_of(const Address& buyer) const;

  // places.cpp
  void stand(const Address& address, ProviderRecord& provider);
  void count_on_ask(AskRecord& ask, bool takes);
  void count_live(const Address& address, bool begins);
  std::vector<OrderId> idle_asks(const Address& provider) const;
  Result<std::vector<OrderId>> giving_way(const Address& newcomer, uint64_t wanted) const;
  void forget_strangers();

  // sums.cpp
  void count_use(const Lease& lease, bool add);
  void count_more(Lease& lease, const std::vector<Subject>& subjects);
  void add_worked(const Lease& lease);
  uint64_t group_units(const Address& buyer, bool accelerator) const;
  /// Of the buyer's live and past leases, with `units` x `seconds` more of `chip`; nothing if the
  /// chip table does not tell.
  std::optional<uint64_t> group_work(const Address& buyer, const std::string& chip,
                                     uint64_t unit_seconds) const;

  // policy.cpp
  Answered run(const SetPolicy& command);
  Answered run(const ProveFacts& command);
  Answered run(const ListParty& command);
  Answered run(const FileLicence& command);
  Result<void> take_nonce(const Address& signer, uint64_t nonce, uint64_t deadline,
                          std::string_view what);
  Result<void> check_officer(const Address& address) const;
  Result<void> check_newer(const Address& account, const PartyFacts& facts) const;
  /// The persons and groups of an account, with those of the facts.
  Result<std::vector<Subject>> proven_with(const Address& account, const PartyFacts& facts) const;
  Result<void> set_rules(const PolicyInForce& policy);
  void forget_judgements();
  std::vector<Address> accounts_of(const std::vector<Subject>& subjects) const;
  /// What an account is a side of or paid by: leases that are not over, open asks.
  std::vector<LeaseId> live_of(const Address& account) const;
  std::vector<OrderId> asks_naming(const Address& account) const;
  void tell_frozen(const Address& account, bool was_frozen);
  void freeze(const Address& account);

  // review.cpp
  Answered run(const Decide& command);
  /// A held deal becomes a match, its terms begin now; or it is undone, where its ask is gone.
  LeaseId open_held(Lease& lease, const CaseFile& file, const Judgement& judgement);
  /// Judges live leases anew: those of an account, or all.
  void review(const Address* account);
  void review_one(Lease& lease);
  void ask_anew(Lease& lease, const CaseFile& file, const Judgement& judgement);
  void stop(Lease& lease, const std::string& reason);
  void set_verdict(Lease& lease, const CaseFile& file, const Judgement& judgement) const;

  // leases.cpp
  Answered run(const Accept& command);
  Answered run(const Reject& command);
  Answered run(const Heartbeat& command);
  Answered run(const PostVoucher& command);
  Answered run(const Close& command);
  Answered run(const RequestClose& command);
  Answered run(const Finalize& command);
  Result<Lease*> find_lease(const LeaseId& id);
  bool take_status(Lease& lease, const eip712::LeaseStatus& status);
  void fund(Lease& lease, UnixMs opened);
  void stop_open(Lease& lease);
  void fix_bill(Lease& lease, uint64_t seconds, bool failing, const std::string& reason);
  void start_closing(Lease& lease, uint64_t seconds, bool failing, const std::string& reason);
  /// Its money is moved: the end of a lease that was funded.
  void settle(Lease& lease);
  void bill_as_vouchered(Lease& lease);
  void finish(Lease& lease);
  void retire(Lease& lease, LeaseState end);
  void count_end(const Address& provider, bool well);
  void count_refusal(const Lease& lease);
  void set_alive(const Address& address, ProviderRecord& provider, bool alive);
  void note_unvouchered(const Lease& lease);

  // chain.cpp
  Answered run(const ChainSeen& command);
  Answered run(const ChainTakenBack& command);
  Answered run(const NotOpened& command);
  Answered run(const ChainGas& command);
  Answered run(const ChainAway& command);
  Answered run(const UseClearanceKey& command);
  Answered run(const StopSeen& command);
  Result<ledger::Mirror*> on_a_chain();
  const ledger::ChainLease* on_chain(const LeaseId& id) const;
  bool locked_on_chain(const LeaseId& id) const;
  bool wants_opening(const Lease& lease) const;
  bool wants_closing(const Lease& lease) const;
  void follow(const ledger::Mirror::Touched& touched);
  void reconcile(Lease& lease);
  void note_chain(const Lease& lease);
  void open_by_chain(Lease& lease, const ledger::ChainLease& there);
  void close_by_chain(Lease& lease, const ledger::ChainLease& there);
  void take_amounts(Lease& lease, const ledger::ChainLease& there);
  bool may_open_again(const Lease& lease) const;
  void clear_again(Lease& lease);
  void give_up(Lease& lease);
  void end_unopened(Lease& lease, const std::string& reason);
  void expire_openings();

  // chain_ends.cpp
  bool waits_for_close(const Lease& lease) const;
  static Result<void> check_pay(const Lease& lease, Money charged, const eip712::Close& close);
  Answered close_late(Lease& lease, const Close& command);
  void cut_bill(Lease& lease, uint64_t stop);
  void lower_bill(Lease& lease, uint64_t most_seconds);
  void keep_request(Lease& lease, const RequestClose& command);

  // deadlines.cpp
  void advance();
  void resume();
  void lapse_providers();
  void expire_orders();
  void expire_leases();
  void forget();
  UnixMs lapse_at(const ProviderRecord& provider) const;
  UnixMs silence_at(const Lease& lease) const;
  UnixMs abandoned_at(const Lease& lease) const;
  UnixMs last_voucher_by(const Lease& lease) const;
  bool self_metered(const Lease& lease) const;
  bool awaits_voucher(const Lease& lease) const;
  void index_lease(const Lease& lease);
  bool chain_is_done(const LeaseId& id) const;
  void forget_too_many();
  void forget_lease(const LeaseId& id);

  void emit(Event event) { events_.push_back(std::move(event)); }
  uint64_t seconds_now() const { return state.now.seconds(); }

  std::optional<eip712::Domain> domain_;
  std::vector<Event> events_;
  std::vector<market::Reason> reasons_;
  std::vector<OrderId> woken_asks_;
  std::vector<Address> woken_buyers_;
  std::vector<Address> woken_provers_;
  bool woken_bids_ = false;  // all that rest

  struct Refusal {
    OrderId bid;
    OrderId ask;
    uint64_t seconds = 0;
    Address buyer;
    uint64_t units = 0;
    Declaration declaration;
    Hash32 declaration_hash;
  };
  struct Refused {
    uint64_t blocked = 0;
    uint64_t held = 0;
    uint64_t small = 0;  // below the least escrow
    bool too_many_held = false;
    std::vector<Refusal> first;
  };
  Refused refused_;      // of one search
  uint32_t spoken_ = 0;  // PolicySpoke of this command
  uint64_t until_recount_ = 10'000;

  Memo memo_;
  IdMap<Address, KnownParty> known_parties_;
  bool reads_units_ = false;  // whether some rule in force asks for them
  bool reads_work_ = false;
  IdMap<Subject, Use> use_;

  Deadlines<Address> lapses_;
  Deadlines<OrderId> ask_starts_;
  Deadlines<OrderId> ask_ends_;
  Deadlines<OrderId> bid_ends_;
  Deadlines<LeaseId> acceptances_;
  Deadlines<LeaseId> holds_;
  Deadlines<std::pair<Address, uint64_t>> policy_nonce_evictions_;
  Deadlines<LeaseId> lease_ends_;
  Deadlines<LeaseId> lease_evictions_;
  Deadlines<uint64_t> grant_evictions_;
  Deadlines<AnswerKey> answer_evictions_;
  IdMap<Address, uint32_t> answers_kept_;
  size_t leases_over_ = 0;
};

/// How many seconds the last voucher pays for. A free lease has no vouchers: it pays for all.
uint64_t seconds_vouchered(const Lease& lease);
/// Reasons and codes are words of a-z, 0-9 and _, at most 64 of them.
bool is_code(const std::string& code);
/// Why a lease ended whose job is over.
std::string reason_of_exit(const Lease& lease);

inline constexpr uint8_t kExited = 4;  ///< phases of a job, as heartbeats tell them
inline constexpr uint8_t kFailed = 5;
inline constexpr uint64_t kClearanceSeconds = 60;
inline constexpr uint64_t kLapseMs = 30'000;
inline constexpr uint64_t kAcceptMs = 10'000;
inline constexpr uint64_t kAbandonMs = 15ULL * 60 * 1000;
inline constexpr uint64_t kKeepAnswerMs = 24ULL * 3600 * 1000;
inline constexpr uint64_t kKeepLeaseMs = 7 * 24ULL * 3600 * 1000;
inline constexpr size_t kMostExcluded = 64;
inline constexpr size_t kMostStrangers = 8;  ///< providers without a record that fail one bid
inline constexpr size_t kMostRefused = 8;    ///< buyers that one fails, one after the other
inline constexpr uint64_t kAsideMs = 10ULL * 60 * 1000;
/// Candidates of one search that policy may turn down, of strangers and of those with a record
/// each; and how many are passed over after that.
inline constexpr uint32_t kMostJudged = 1000;
inline constexpr uint32_t kMostPassed = 100'000;
inline constexpr size_t kMostProven = 16;  ///< persons and groups of one account, ever
inline constexpr uint64_t kHoldMs = 24ULL * 3600 * 1000;

std::shared_ptr<const policy::RuleSet> empty_rules();
Error no_rules(const Hash32& hash);

/// Sums and products of counts that stop at the greatest number.
uint64_t sum_or_most(uint64_t a, uint64_t b);
uint64_t product_or_most(uint64_t a, uint64_t b);

/// Seconds since 1970 as milliseconds, and a sum of them; the latest time instead of a wrap.
UnixMs at_seconds(uint64_t seconds);
UnixMs later(UnixMs at, uint64_t ms);

}  // namespace mizan::exchange
