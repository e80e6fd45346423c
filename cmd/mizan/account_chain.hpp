// What `mizan account` does in the escrow contract, for the files that do it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mizan/chain_session.hpp"

namespace mizan::cli {

/// Shows what `account` has in the contract and outside of it, after `done`, if that is not empty.
Result<int> tell_account(const Context& context, const ChainSettings& chain, ChainReader& reader,
                         const Address& account, const std::string& done);

/// Signed by the owner of the money, sent by whoever has gas (`mizan account relay`).
struct ToSign {
  fs::path file;               ///< where the signed message goes
  std::string relay_fee{};     ///< USD that its sender may take at most; "" none
  bool authorization = false;  ///< of a deposit: by ERC-3009, not by permit
};
Result<int> sign_deposit(const Context& context, const std::string& usd, const ToSign& how);
Result<int> sign_withdrawal(const Context& context, const std::string& usd, const ToSign& how);

}  // namespace mizan::cli
