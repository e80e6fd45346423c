// Commands: all that can change an exchange, as they stand in the journal.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/fields.hpp"
#include "base/time.hpp"
#include "crypto/eip712.hpp"
#include "exchange/chain_facts.hpp"
#include "exchange/party_facts.hpp"

#include <optional>
#include <string>
#include <variant>

namespace mizan::exchange {

/// What bounds a stranger's use of memory. Counts are of one account.
struct Limits {
  uint32_t open_orders = 200;     ///< resting asks and bids
  uint32_t all_asks = 1'000'000;  ///< places for asks of everybody; and for leases that are over
  uint32_t live_leases = 1000;    ///< of a buyer
  uint32_t idempotency_keys = 10'000;  ///< within 24 hours
  uint32_t nonce_words = 65'536;       ///< words of 256 bid nonces ever touched
  uint32_t spec_bytes = 64 * 1024;
  uint32_t attributes_bytes = 16 * 1024;
  uint32_t nodes = 1024;  ///< of an ask or a bid
  uint32_t units_per_node = 4096;
  uint32_t held_leases = 20;  ///< that wait for an officer, of a buyer's person or group
  MIZAN_FIELDS(open_orders, all_asks, live_leases, idempotency_keys, nonce_words, spec_bytes,
               attributes_bytes, nodes, units_per_node, held_leases)
};

/// The first command, and only the first.
struct Genesis {
  Hash32 exchange_id;  ///< keccak256("mizan-exchange" || identity): the domain's salt
  Address operator_;   ///< signs grants
  Address identity;
  Address meter;
  Address clearance;
  Address fee_to;
  uint16_t fee_bps = 0;  ///< 0 to 10000
  uint32_t voucher_interval_s = 10;
  uint32_t readiness_s = 60;  ///< staging is billed this long at most
  Limits limits;
  Hash32 rule_set{};                       ///< that the exchange begins with; zero: the empty one
  bool pending = false;                    ///< whether pending law counts
  std::string policy = {};                 ///< options (options.hpp); "": none
  std::optional<ChainSettlement> chain{};  ///< nothing: it settles in credits
  MIZAN_FIELDS(exchange_id, operator_, identity, meter, clearance, fee_to, fee_bps,
               voucher_interval_s, readiness_s, limits, rule_set, pending, policy, chain)
};

/// What every message is signed for: the chain and the contract, or else the exchange's id.
eip712::Domain domain_of(const Genesis& genesis);

/// The exchange was away: heartbeat, lapse and acceptance deadlines start anew from its time. The
/// first command after every start of the program.
struct Resume {
  MIZAN_FIELDS()
};
/// Lets time pass: deadlines up to its time fall due (any other command does that too).
struct Tick {
  MIZAN_FIELDS()
};
struct Grant {
  eip712::Grant grant;
  Signature signature;  ///< the operator's
  MIZAN_FIELDS(grant, signature)
};
/// Placing an ask that is open already changes nothing and succeeds. An ask's nonce is above that
/// of every ask that its provider cancelled or let expire.
struct PlaceAsk {
  eip712::Ask ask;
  std::string attributes;  ///< canonical JSON whose Keccak-256 is ask.attributesHash
  Signature signature;
  MIZAN_FIELDS(ask, attributes, signature)
};
struct CancelAsk {
  eip712::CancelAsk cancel;
  Signature signature;
  MIZAN_FIELDS(cancel, signature)
};
struct PlaceBid {
  eip712::Bid bid;
  std::string spec;  ///< canonical JSON whose Keccak-256 is bid.specHash
  Signature signature;
  MIZAN_FIELDS(bid, spec, signature)
};
/// Sets nonce bits (bit i of `mask`, counted from the least significant, is nonce 256 x word + i)
/// and ends the open bids that own any of them.
struct CancelBids {
  eip712::CancelBids cancel;
  Signature signature;
  MIZAN_FIELDS(cancel, signature)
};
/// The provider's consent to a matched lease; accepting twice succeeds.
struct Accept {
  eip712::Terms terms;
  Signature signature;
  MIZAN_FIELDS(terms, signature)
};
inline constexpr size_t kMostCodeBytes = 64;
inline constexpr size_t kMostMessageBytes = 512;
/// The provider's refusal of a matched lease. Not signed: `provider` is the authenticated agent.
struct Reject {
  Hash32 lease;
  Address provider;
  std::string code;     ///< of a-z 0-9 _
  std::string message;  ///< for the buyer
  MIZAN_FIELDS(lease, provider, code, message)
};
/// Its sequence rises with every heartbeat of a provider; leases that are not the provider's, or
/// are over, are skipped.
struct Heartbeat {
  eip712::Heartbeat heartbeat;
  Signature signature;
  MIZAN_FIELDS(heartbeat, signature)
};
/// The word of the terms' meter on usage so far: never above what heartbeats cover, never lowered.
/// Of a buyer's own meter also while the lease closes, until the bill is signed or its grace over.
struct PostVoucher {
  eip712::Voucher voucher;
  Signature signature;
  MIZAN_FIELDS(voucher, signature)
};
/// The provider ends a lease whose job is over (phase 4 or 5); refused when the pay is below
/// minPaid. Answered by LeaseClosing.
struct Close {
  eip712::Close close;
  Signature signature;
  MIZAN_FIELDS(close, signature)
};
/// The buyer ends a lease: elapsed time is frozen, the agent is told to stop.
struct RequestClose {
  eip712::RequestClose request;
  Signature signature;
  MIZAN_FIELDS(request, signature)
};
/// Settles a lease that is closing. `cumulative` is LeaseClosing's, or the bill has changed since
/// (conflict); `voucher` the exchange's signature under the voucher over exactly that, empty when
/// it is 0 or was vouchered before. Not for a lease whose buyer's own meter still owes a voucher:
/// that one settles it, or its grace does.
struct Finalize {
  Hash32 lease;
  u128 cumulative = 0;
  std::optional<Signature> voucher;
  MIZAN_FIELDS(lease, cumulative, voucher)
};

/// Another rule set or other options, by the operator. The rule set is one that the exchange was
/// given (Exchange::know_rules, checked by verify); live leases keep their verdict and are judged
/// anew: WouldNotPass.
struct SetPolicy {
  eip712::PolicyChange change;
  std::string options;  ///< canonical JSON whose Keccak-256 is change.optionsHash
  Signature signature;
  MIZAN_FIELDS(change, options, signature)
};
/// What a credential that the service verified says of an account. Not signed: the presentation
/// was. It replaces what was known before; live leases of the account are judged anew.
struct ProveFacts {
  Address account;
  PartyFacts facts;
  MIZAN_FIELDS(account, facts)
};
/// An officer's word on a held deal. One reject ends it; as many different officers as the operator
/// asks for approve it, and then it is matched. `conflict` where it is not held (any more), or is
/// not the case whose verdict the decision names; `policy_blocked` where the rules in force now
/// block it.
struct Decide {
  Address officer;
  eip712::Decision decision;
  Signature signature;  ///< the officer's
  MIZAN_FIELDS(officer, decision, signature)
};
/// A party was put on a list, or taken off: by account, person or group, whichever are not zero.
/// One that is listed with the effect "block" is frozen and its leases stop.
struct ListParty {
  Address officer;
  eip712::Listing listing;
  Signature signature;  ///< the officer's
  MIZAN_FIELDS(officer, listing, signature)
};
/// A licence on file; one of the same number replaces it. `chip` and `destination` may be "n/a",
/// `party` zero: that limit does not bind. `units` counts those of the whole group. `expires` is
/// the last day, as the number YYYYMMDD.
struct FileLicence {
  Address officer;
  eip712::LicenceOnFile licence;
  Signature signature;  ///< the officer's
  MIZAN_FIELDS(officer, licence, signature)
};

/// New kinds go at the end: the index is the tag in the journal.
using Command =
    std::variant<Genesis, Resume, Tick, Grant, PlaceAsk, CancelAsk, PlaceBid, CancelBids, Accept,
                 Reject, Heartbeat, PostVoucher, Close, RequestClose, Finalize, SetPolicy,
                 ProveFacts, Decide, ListParty, FileLicence, ChainSeen, ChainTakenBack, NotOpened,
                 ChainGas, ChainAway, UseClearanceKey, StopSeen>;

/// A key under which its account wants one answer, however often it asks. The same key with
/// another request hash is `replayed`. Only commands that took effect are kept: a refused one
/// changed nothing and may be sent again.
struct Idempotency {
  Address account;
  std::string key;      ///< 1 to 64 printable ASCII characters
  Hash32 request_hash;  ///< of the request's body
  MIZAN_FIELDS(account, key, request_hash)
};

/// A command in its place. Sequences count up by one from 1; time never decreases (the service
/// holds its clock to that). Signatures were verified (verify.hpp) before it got here.
struct Sequenced {
  uint64_t sequence = 0;
  UnixMs time;
  std::optional<Idempotency> idempotency{};
  Command command;
  MIZAN_FIELDS(sequence, time, idempotency, command)
};

/// The bytes of a command in the journal.
Bytes encode(const Sequenced& sequenced);
/// Refuses (corrupted) bytes that `encode` does not write.
Result<Sequenced> decode_sequenced(ByteView bytes);

}  // namespace mizan::exchange
