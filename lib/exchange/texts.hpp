// The two signed texts of orders, read: an ask's attributes and a bid's spec.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/policy_texts.hpp"
#include "market/order.hpp"

namespace mizan::exchange {

/// The attributes as queries and as policy see them.
struct AskText {
  market::Attributes attributes;
  AskFacts facts;
};

/// `{"cores": {"value": 2, "source": "measured"}, ...}` and the ask's own fields, as queries see
/// them. Known names: memory_gb, cores, disk_gb, device_memory_gb (integers), maker, country,
/// network (strings), cached (strings), and those of policy_texts.hpp; what the ask says itself
/// (chip, units, ...) is refused.
Result<AskText> read_attributes(const eip712::Ask& ask, std::string_view text);

/// What the exchange reads of a spec; the job is the agent's business.
struct Spec {
  market::Query query;
  bool immediate_or_cancel = false;
  Declaration declaration;
};
/// `{"job", "query", "split", "immediate_or_cancel", "declaration"}`; the last may be left out,
/// split must be false (unsupported_key).
Result<Spec> read_spec(std::string_view text, size_t most_bytes);

}  // namespace mizan::exchange
