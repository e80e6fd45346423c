// The escrow contract in the plainest way, for random histories: who has what, and which events.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/payee.hpp"
#include "base/result.hpp"
#include "crypto/eip712_messages.hpp"
#include "exchange/chain_facts.hpp"
#include "ledger/place.hpp"

#include <map>
#include <set>
#include <vector>

namespace mizan::test {

namespace chain = exchange::chain;

/// What somebody sends to the contract.
struct Sent {
  enum class Kind { deposit, withdraw, open, claim, stop, close, finalize, cancel } kind{};
  Address owner;                ///< of deposit, withdraw, cancel; of a stop that is signed
  u128 amount = 0;              ///< of those; a voucher's total of claim and close
  LeaseId lease;                ///< of the others
  eip712::Terms terms{};        ///< of open
  eip712::Bid bid{};            ///< of open
  uint64_t good_until = 0;      ///< of open: the clearance's; of a stop that is signed: its own
  uint64_t nonce = 0;           ///< of cancel, and of a stop that is signed
  u128 min_paid = 0;            ///< of close
  std::vector<Payee> payees{};  ///< of open, though the contract hears of them when it pays
};

/// Copied for each block, so that a turn is another copy.
class PlainContract {
 public:
  struct Lease {
    eip712::Terms terms;
    u128 escrow = 0;
    uint64_t opened = 0;
    uint64_t stop = 0;
    u128 claimed = 0;
    u128 refunded = 0;
    bool closed = false;
    std::vector<Payee> payees{};
  };
  /// Terms and vouchers are in nano-USD; all else is in units of a token of `decimals`.
  PlainContract(const Address& fee_to, uint64_t delay, uint8_t decimals = 9)
      : fee_to_(fee_to), delay_(delay), decimals_(decimals) {}

  /// Its events in a block of `now`; or that it reverts, the message being the error's name.
  Result<std::vector<exchange::ChainFact>> run(const Sent& sent, uint64_t now);
  u128 balance(const Address& owner) const {
    const auto it = balances_.find(owner);
    return it == balances_.end() ? 0 : it->second;
  }
  const Lease* find(const LeaseId& id) const {
    const auto it = leases_.find(id);
    return it == leases_.end() ? nullptr : &it->second;
  }
  u128 units(u128 nano) const;  ///< rounded down
  /// In all, of a voucher: what the time up to now bounds, and never below what was claimed.
  u128 payable(const Lease& lease, uint64_t now, u128 voucher) const;
  static u128 fee_of(const eip712::Terms& terms, u128 total) {
    return total * terms.fee_bps / 10'000;
  }

 private:
  using Facts = std::vector<exchange::ChainFact>;
  Result<Facts> open(const Sent& sent, uint64_t now);
  Result<Facts> stop(const Sent& sent, Lease& lease, uint64_t now);
  u128 locked(const Lease& lease, uint64_t now) const;
  u128 pay(Lease& lease, u128 total);
  u128 refund(Lease& lease, u128 amount);

  Address fee_to_;
  uint64_t delay_;
  uint8_t decimals_;
  std::map<Address, u128> balances_;
  std::map<LeaseId, Lease> leases_;
  std::set<std::pair<Address, uint64_t>> spent_;
  std::set<std::pair<Address, uint64_t>> used_;  ///< nonces of signed stops
};

/// A block, and how the contract stands behind it.
struct PlainBlock {
  ledger::Place place;
  PlainContract contract;
  std::vector<Sent> sent;
  std::vector<exchange::ChainFact> facts;
};

/// The block after `last`: it takes in what of `waiting` `takes` says, which then waits no more.
template <class Takes>
PlainBlock block_after(const PlainBlock& last, const Hash32& hash, uint64_t time,
                       std::vector<Sent>& waiting, const Takes& takes) {
  PlainBlock block{{last.place.number + 1, hash, time}, last.contract, {}, {}};
  std::vector<Sent> left;
  for (const Sent& sent : waiting) {
    if (!takes()) {
      left.push_back(sent);
      continue;
    }
    const auto facts = block.contract.run(sent, time);
    if (!facts) continue;
    block.facts.insert(block.facts.end(), facts->begin(), facts->end());
    block.sent.push_back(sent);
  }
  waiting = std::move(left);
  return block;
}

}  // namespace mizan::test
