// The records of an exchange's state, as readers see them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/fields.hpp"
#include "base/payee.hpp"
#include "base/time.hpp"
#include "crypto/eip712_messages.hpp"
#include "exchange/party_facts.hpp"
#include "exchange/policy_texts.hpp"
#include "policy/verdict.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mizan::exchange {

/// (held ->) matched -> (on a chain: opening ->) funded -> staging -> running -> collecting ->
/// settled, or failed from any (docs/LEASE.md).
enum class LeaseState : uint8_t {
  held,  ///< policy waits for a person
  matched,
  opening,  ///< accepted; the chain has not told yet that it is open
  funded,
  staging,
  running,
  collecting,
  settled,
  failed
};
std::string_view to_string(LeaseState state);
constexpr LeaseState enum_last(LeaseState) {
  return LeaseState::failed;
}

/// What policy says of a deal; part of the lease. The facts stand beside it (Lease::case_file), so
/// that it can be made again (explain.hpp).
struct Verdict {
  std::string outcome;  ///< "ALLOW"
  Hash32 rule_set;
  Hash32 hash;       ///< of the rule set, the facts and the findings
  std::string note;  ///< which rule spoke, or "the rule set is empty: nothing was assessed"
  MIZAN_FIELDS(outcome, rule_set, hash, note)
};

/// An officer's word on a held deal; its signature is in the journal.
struct OfficerDecision {
  Address officer;
  bool approve = false;
  std::string reason;
  UnixMs at;
  MIZAN_FIELDS(officer, approve, reason, at)
};

/// How a lease was paid out. charged = paid + fee; escrow = charged + refunded.
struct Settlement {
  u128 charged = 0;
  u128 fee = 0;
  u128 paid = 0;
  u128 refunded = 0;
  std::vector<u128> shares{};  ///< of paid: the payees', in their order
  MIZAN_FIELDS(charged, fee, paid, refunded, shares)
};

/// A lease, live or over. It is kept for 7 days after its end, without its spec.
struct Lease {
  LeaseId id;
  uint64_t number = 0;  ///< leases are counted from 1, in the order of their matches
  OrderId order;        ///< the bid's
  eip712::Terms terms;
  Signature terms_signature;  ///< the provider's; zero until accepted
  eip712::Bid bid;
  Signature bid_signature;
  std::string spec;  ///< empty when the lease is over
  std::string chip;
  std::vector<Payee> payees;    ///< whom its pay is shared with; none: the provider is paid all
  std::vector<uint32_t> nodes;  ///< which nodes of the ask it holds; ascending
  Verdict verdict;
  Bytes case_file;                         ///< what the verdict rests on (judge.hpp), encoded
  std::vector<OfficerDecision> decisions;  ///< on it, while it was held
  std::optional<Verdict> review;           ///< live, and would not pass if it were judged now
  std::vector<Subject> counted;            ///< whose sums hold it: account, persons, groups

  LeaseState state = LeaseState::matched;
  bool closing = false;  ///< its bill is fixed, Finalize is awaited
  bool failing = false;  ///< closing, and will end as `failed`
  std::string reason;    ///< why it ended or ends; "" while it runs
  uint8_t phase = 0;     ///< the highest that a heartbeat told
  int32_t exit_code = 0;
  Hash32 outputs;

  u128 escrow = 0;
  UnixMs held_at;   ///< 0 if it never was
  LeaseId held_as;  ///< the id that it had while it was held; zero if it never was
  UnixMs matched_at;
  UnixMs accepted_at;            ///< 0 until then
  uint64_t clearance_until = 0;  ///< until when its clearance is good, in seconds
  uint32_t attempt = 0;          ///< how often the chain took its opening back
  UnixMs opened_at;              ///< of acceptance, on a chain of its Opened; 0 until then
  UnixMs heard_at;               ///< last heartbeat that named it, or its funding
  UnixMs stopped_at;             ///< of the buyer's RequestClose, or of a listing; 0 if none
  std::string stop_reason;       ///< that the agent is told: buyer_stopped, listed
  UnixMs closed_at;              ///< of settlement or undoing; 0 while it lives
  uint64_t staged_ms = 0;
  uint64_t ran_ms = 0;
  uint64_t covered_ms = 0;    ///< what the bill rests on
  uint64_t forfeited_ms = 0;  ///< open and unheard, beyond the grace: never billed

  u128 vouchered = 0;  ///< the last voucher's cumulative
  Signature voucher_signature;
  UnixMs vouchered_at;
  uint64_t final_seconds = 0;  ///< fixed when `closing`, as is final_charge
  u128 final_charge = 0;
  UnixMs closing_at;  ///< when it was fixed; 0 until then
  std::optional<eip712::Close> close;
  Signature close_signature;
  /// The buyer's, for the contract.
  std::optional<eip712::RequestClose> request;
  Signature request_signature;
  bool billed = false;  ///< closing on a chain: the meter has signed, its Closed is awaited
  Settlement settlement;

  uint64_t units() const { return uint64_t{terms.node_count} * terms.units_per_node; }
  /// As far as it is known: covered by heartbeats, or, once it is closing, on the bill.
  uint64_t seconds_billed() const { return closing || over() ? final_seconds : covered_ms / 1000; }
  bool over() const { return state == LeaseState::settled || state == LeaseState::failed; }
  /// The exchange has cleared it: on a chain it may be open.
  bool accepted() const { return accepted_at.ms != 0; }
  bool funded() const { return opened_at.ms != 0; }
  /// A buyer's stop at the contract would end it sooner.
  bool stoppable() const { return accepted() && !over() && !closing && stopped_at.ms == 0; }

  MIZAN_FIELDS(id, number, order, terms, terms_signature, bid, bid_signature, spec, chip, payees,
               nodes, verdict, case_file, decisions, review, counted, state, closing, failing,
               reason, phase, exit_code, outputs, escrow, held_at, held_as, matched_at, accepted_at,
               clearance_until, attempt, opened_at, heard_at, stopped_at, stop_reason, closed_at,
               staged_ms, ran_ms, covered_ms, forfeited_ms, vouchered, voucher_signature,
               vouchered_at, final_seconds, final_charge, closing_at, close, close_signature,
               request, request_signature, billed, settlement)
};

/// The policy in force.
struct PolicyInForce {
  Hash32 rule_set;
  bool pending = false;
  std::string options;  ///< as signed; PolicyOptions has them read
  MIZAN_FIELDS(rule_set, pending, options)
};

/// An account as `GET /v1/accounts/{address}` shows it.
struct AccountView {
  Money balance;
  Money escrowed;
  Money earned;  ///< paid to it as a provider, ever
  Money spent;   ///< charged to it as a buyer, ever
  uint32_t open_orders = 0;
};

/// A row of `GET /v1/offers`.
struct Offer {
  OrderId id;
  eip712::Ask ask;
  std::string attributes;                    ///< canonical JSON
  uint64_t free_units = 0;                   ///< over all nodes
  std::optional<uint32_t> reliability_pm{};  ///< per mille of leases ended well; none yet: empty
  bool live = false;
};

/// A bid that waits in the book.
struct OpenBid {
  OrderId id;
  eip712::Bid bid;
  uint64_t sequence = 0;
};

/// What to look for in a dry run: a bid without its owner and money.
struct PlanRequest {
  uint32_t nodes = 1;
  uint32_t units_per_node = 1;
  std::string query;
  u128 max_rate = 0;
  uint64_t max_seconds = 0;
  bool interruptible = false;
  std::optional<Address> buyer{};  ///< whose own asks are left out, and for whom policy is asked
  Declaration declaration{};       ///< of the bid's spec
};

/// An offer that the request would get, and at what price.
struct PlanLine {
  Offer offer;
  uint64_t seconds = 0;
  Money escrow;
  policy::Disposition disposition = policy::Disposition::pass;  ///< pass or hold; pass: no buyer
  std::string note;                                             ///< which rule holds it
};

/// Totals of the money: granted = balances + escrow + fees + withdrawn.
struct MoneyTotals {
  Money granted;
  Money balances;
  Money escrow;
  Money fees;
  Money withdrawn;
};

}  // namespace mizan::exchange
