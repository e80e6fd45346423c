// What the exchange keeps of asks, bids, providers and answers, and the State of a snapshot.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/id_map.hpp"
#include "crypto/eip712.hpp"
#include "exchange/exchange.hpp"
#include "exchange/judge.hpp"
#include "exchange/places.hpp"
#include "exchange/texts.hpp"
#include "ledger/ledger.hpp"
#include "market/book.hpp"

#include <map>
#include <set>

namespace mizan::exchange {

struct AskRecord {
  eip712::Ask ask;
  std::string attributes;
  uint64_t sequence = 0;
  market::AskRef ref = 0;  // derived, as are those below
  uint32_t leases = 0;     // that hold units of it
  AskFacts facts{};
  Hash32 facts_hash{};
  MIZAN_FIELDS(ask, attributes, sequence)
};

/// A bid that rests, or whose lease awaits its acceptance.
struct BidRecord {
  eip712::Bid bid;
  Signature signature;
  std::string spec;
  uint64_t sequence = 0;
  bool immediate_or_cancel = false;
  bool starved = false;  ///< an ask was there, the money was not: tried again when money comes
  std::vector<Address> excluded;  ///< providers of its matches that were undone
  std::optional<LeaseId> lease;
  Declaration declaration{};  // derived, as is its hash
  Hash32 declaration_hash{};
  MIZAN_FIELDS(bid, signature, spec, sequence, immediate_or_cancel, starved, excluded, lease)
};

struct ProviderRecord {
  UnixMs heard_at;
  bool alive = false;
  uint64_t heartbeat_sequence = 0;
  uint64_t ask_nonce_floor = 0;  ///< a new ask's nonce is at least this
  uint64_t leases_ended = 0;
  uint64_t leases_ended_well = 0;
  std::vector<Address> refused;  ///< buyers whose matches it did not take, since it last took one
  UnixMs aside_until;            ///< until then it is matched with nothing
  uint64_t places = 0;           // derived, as are those below: of all its asks
  uint64_t idle_places = 0;      // of those that no lease holds
  uint64_t live_leases = 0;
  Standing standing;  // as Places has it
  MIZAN_FIELDS(heard_at, alive, heartbeat_sequence, ask_nonce_floor, leases_ended,
               leases_ended_well, refused, aside_until)
};

/// Per mille of its leases that ended well, matches that it did not take among them; unknown before
/// the first.
market::Milli reliability(const ProviderRecord& provider);

struct KeptAnswer {
  Hash32 request_hash;
  UnixMs at;
  OrderId order;
  std::vector<LeaseId> leases;
  bool resting = false;
  MIZAN_FIELDS(request_hash, at, order, leases, resting)
};
using AnswerKey = std::pair<Address, std::string>;

/// Unit-seconds by chip; the chip "" stands for more chips than are told apart.
using UnitSeconds = std::map<std::string, uint64_t>;

/// A lease that opened on the contract and that this exchange never cleared, and the clearance key
/// that was in force then.
struct StrayLease {
  LeaseId lease;
  Address key;
  MIZAN_FIELDS(lease, key)
};

/// All that a snapshot holds; everything else is derived from it.
struct State {
  std::optional<Genesis> config;
  uint64_t sequence = 0;
  UnixMs now;
  UnixMs resumed_at;
  uint64_t lease_count = 0;
  ledger::Ledger ledger;
  IdMap<OrderId, AskRecord> asks;
  IdMap<OrderId, BidRecord> bids;
  IdMap<Address, ProviderRecord> providers;
  IdMap<LeaseId, Lease> leases;
  std::map<uint64_t, uint64_t> grants;  ///< nonce -> deadline, until that has passed
  std::map<AnswerKey, KeptAnswer> answers;
  PolicyInForce policy;
  IdMap<Address, PartyFacts> facts;
  IdMap<Address, std::vector<Subject>> proven;  ///< persons and groups, for good; ascending
  std::map<Subject, Listings> listings;
  std::set<Address> prohibited;  ///< listed, and a rule prohibited a live lease of theirs for it
  std::map<std::string, eip712::LicenceOnFile> licences;           ///< by number
  std::map<std::pair<Address, uint64_t>, uint64_t> policy_nonces;  ///< of signers -> deadline
  IdMap<Subject, UnitSeconds> worked;                              ///< by leases that are over
  std::optional<StrayLease> stray;  ///< the first that opened by a key and was never cleared
  bool gas_low = false;             ///< ChainGas said so
  bool chain_away = false;          ///< and ChainAway
  Address clearance;                ///< the exchange's own key
  MIZAN_FIELDS(config, sequence, now, resumed_at, lease_count, ledger, asks, bids, providers,
               leases, grants, answers, policy, facts, proven, listings, prohibited, licences,
               policy_nonces, worked, stray, gas_low, chain_away, clearance)
};

}  // namespace mizan::exchange
