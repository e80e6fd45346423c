// EIP-712 typed messages: the domain, and signing and recovering over it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/eip712_messages.hpp"
#include "crypto/key.hpp"

#include <optional>

namespace mizan::eip712 {

/// What keeps a message signed for one exchange from counting on another. Its kind is the
/// settlement's: credits carry the exchange's id as salt, evm the chain and the contract.
class Domain {
 public:
  static Domain credits(const Hash32& exchange_id);
  static Domain evm(uint64_t chain_id, const Address& contract);

  const Hash32& separator() const { return separator_; }
  bool is_credits() const { return salt_.has_value(); }
  const std::optional<Hash32>& salt() const { return salt_; }  ///< of credits alone
  uint64_t chain_id() const { return chain_id_; }              ///< 0 for credits
  const Address& contract() const { return contract_; }        ///< zero for credits

 private:
  std::optional<Hash32> salt_;
  uint64_t chain_id_ = 0;
  Address contract_;
  Hash32 separator_;
};

/// keccak256(0x19 0x01 separator struct_hash): what is signed.
Hash32 typed_digest(const Hash32& separator, const Hash32& struct_hash);

/// The digest of a message; of Terms it is the LeaseId, of Ask and Bid the OrderId.
template <class Message>
Hash32 digest(const Domain& domain, const Message& message) {
  return typed_digest(domain.separator(), hash_struct(message));
}
template <class Message>
Signature sign(const Domain& domain, const Message& message, const SecretKey& key) {
  return key.sign(digest(domain, message));
}
/// Who signed `message`; see mizan::recover for what is refused.
template <class Message>
Result<Address> recover(const Domain& domain, const Message& message, const Signature& signature) {
  return mizan::recover(digest(domain, message), signature);
}
/// An error (unauthenticated) unless `signer` signed `message`.
template <class Message>
Result<void> check_signer(const Domain& domain, const Message& message, const Signature& signature,
                          const Address& signer) {
  MIZAN_TRY(found, recover(domain, message, signature));
  if (found != signer)
    return fail(ErrorCode::unauthenticated,
                std::string(Message::kName) + " is not signed by the party that it names");
  return {};
}

}  // namespace mizan::eip712
