// The calls of contracts/src/IComputeEscrow.sol, and of the token that it holds.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/payee.hpp"
#include "crypto/eip712_messages.hpp"
#include "settlement/abi.hpp"

#include <optional>
#include <vector>

/// Each function gives a transaction's data. Amounts of direct arguments are in the token's base
/// units, those of signed messages in nano-USD, as in the contract.
namespace mizan::settlement {

/// A lease to open; without `terms_signature` the sender is the provider.
struct OpenItem {
  eip712::Terms terms;
  eip712::Bid bid;
  std::optional<Signature> terms_signature{};
  Signature bid_signature;
};

/// A lease to close; without a voucher it settles at what was claimed, without `close_signature`
/// the sender is the provider.
struct CloseItem {
  eip712::Terms terms;
  u128 cumulative = 0;
  std::optional<Signature> voucher_signature{};
  u128 min_paid = 0;
  std::optional<Signature> close_signature{};
  std::vector<Payee> payees{};
};

namespace escrow {

/// Creation code and arguments.
Bytes create(ByteView code, const Address& token, const Address& fee_to, const Address& guardian,
             const Address& clearance_key, uint64_t close_delay_seconds);

Bytes deposit(u128 units);
Bytes deposit_with_permit(const eip712::Deposit& message, const Signature& signature,
                          const Signature& permit);
/// ERC-3009: the token's own message, whose nonce is any that its owner has not used.
struct Authorization {
  Address from;
  Address to;
  u128 value = 0;  ///< base units
  uint64_t valid_after = 0;
  uint64_t valid_before = 0;
  Hash32 nonce;
  MIZAN_FIELDS(from, to, value, valid_after, valid_before, nonce)
};
Bytes deposit_with_authorization(const Authorization& message, const Signature& signature);
Bytes withdraw(u128 units, const Address& to);
Bytes withdraw_for(const eip712::Withdraw& message, const Signature& signature,
                   u128 relay_fee_units);

Bytes open(const OpenItem& item, const eip712::Clearance& clearance, const Signature& signature);
/// `clearance.leases` are the items' ids in their order; only its other fields travel.
Bytes open_many(const std::vector<OpenItem>& items, const eip712::ClearanceBatch& clearance,
                const Signature& signature);
Bytes claim(const eip712::Terms& terms, u128 cumulative, const Signature& voucher,
            const std::vector<Payee>& payees);
Bytes close(const CloseItem& item);
Bytes close_many(const std::vector<CloseItem>& items);
/// What open_many or close_many of so many items answers: each one's fault, zeros where it was
/// done.
Result<std::vector<Selector>> faults_of(ByteView answer, size_t items);
Bytes request_close(const eip712::Terms& terms);
Bytes request_close_for(const eip712::Terms& terms, const eip712::RequestClose& message,
                        const Signature& signature, u128 relay_fee_units);
Bytes finalize_close(const eip712::Terms& terms);
Bytes cancel_bids(uint64_t word, const U256& mask);
Bytes cancel_bids_for(const eip712::CancelBids& message, const Signature& signature,
                      u128 relay_fee_units);

Bytes set_paused(bool paused);
Bytes revoke_clearance_key();
Bytes propose_clearance_key(const Address& key);
Bytes accept_clearance_key();

// Views.
Bytes token();
Bytes fee_to();
Bytes guardian();
Bytes clearance_key();
Bytes next_clearance_key();
Bytes next_clearance_key_from();
Bytes close_delay();
Bytes paused();
Bytes domain_separator();
Bytes balance_of(const Address& owner);
Bytes lease_of(const LeaseId& lease);

}  // namespace escrow

namespace token {

Bytes approve(const Address& spender, u128 units);
Bytes allowance(const Address& owner, const Address& spender);
Bytes balance_of(const Address& owner);
Bytes decimals();
/// Of tokens with permits (ERC-2612) or authorizations (ERC-3009).
Bytes domain_separator();
Bytes nonces(const Address& owner);
/// What an owner signs so that `spender` may take `units`.
Hash32 permit_digest(const Hash32& separator, const Address& owner, const Address& spender,
                     u128 units, u128 nonce, uint64_t deadline);
Hash32 authorization_digest(const Hash32& separator, const escrow::Authorization& message);
/// The test token's creation code and arguments.
Bytes create_test(ByteView code, uint8_t decimals);
/// Of the test token alone: makes units out of nothing.
Bytes mint(const Address& to, u128 units);

}  // namespace token
}  // namespace mizan::settlement
