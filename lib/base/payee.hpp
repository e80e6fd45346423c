// Payee: one who has a share of what a provider is paid (an investor, a host, a broker).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/fields.hpp"
#include "base/money.hpp"

#include <string_view>
#include <vector>

namespace mizan {

/// `bps` of 10,000 of what is left of a charge after the fee.
struct Payee {
  Address to;
  uint16_t bps = 0;
  friend bool operator==(const Payee&, const Payee&) = default;
  MIZAN_FIELDS(to, bps)
};

inline constexpr size_t kMostPayees = 8;
inline constexpr uint16_t kWholeBps = 10'000;

/// One to eight, none of them twice or the zero address, whose shares are above zero and add up to
/// 10,000. `path` names the list in messages.
Result<void> check_payees(const std::vector<Payee>& payees, std::string_view path);

/// floor(amount x bps / whole).
Money part_of(Money amount, uint32_t bps, uint32_t whole = kWholeBps);

/// What each is paid of `net`, in turn: of what is left the part that its share is of the shares
/// that are left, rounded down; the last one has all of it. So everything is paid, and each one's
/// part only grows with `net`. As the contract does it (docs/CONTRACT.md).
std::vector<Money> shares_of(Money net, const std::vector<Payee>& payees);

}  // namespace mizan
