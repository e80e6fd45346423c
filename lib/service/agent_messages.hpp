// What the exchange tells an agent, as JSON text. docs/PROTOCOL.md has the shapes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/exchange.hpp"
#include "service/keys.hpp"

#include <functional>
#include <optional>

namespace mizan::service {

/// `log_size` gives the stored size of a lease's log.
std::string welcome_message(const exchange::Exchange& exchange, const Address& provider, UnixMs now,
                            const ExchangeKeys& keys,
                            const std::function<uint64_t(const LeaseId&)>& log_size);
std::string match_message(const exchange::Lease& lease, UnixMs accept_by);
std::string opening_message(const LeaseId& lease);
std::string funded_message(const exchange::Lease& lease, const eip712::Domain& domain,
                           const ExchangeKeys& keys);
std::string voucher_message(const eip712::Voucher& voucher, const Signature& signature);
std::string stop_message(const LeaseId& lease, const std::string& reason);
/// With the receipt, unless the lease never opened.
std::string closed_message(const exchange::Lease& lease, const eip712::Domain& domain,
                           const ExchangeKeys& keys);
/// Why policy kept a bid from the provider's ask.
std::string policy_message(const exchange::PolicySpoke& spoke);
std::string ask_ended_message(const OrderId& ask, const std::string& reason);
std::string log_ok_message(const LeaseId& lease, uint64_t size);
/// Without an id, `id` is left out.
std::string error_message(const std::optional<uint64_t>& id, const Error& error);

}  // namespace mizan::service
