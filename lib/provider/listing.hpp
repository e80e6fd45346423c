// Listing: the one ask that an agent has open, across restarts and changes of its configuration.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/eip712.hpp"
#include "provider/inventory.hpp"
#include "provider/store.hpp"

#include <map>
#include <vector>

namespace mizan::provider {

/// What is offered, before it is an ask.
struct Offer {
  Capacity capacity;
  std::string attributes;  ///< canonical JSON; names the payees too
  Hash32 payees_hash;
  Rate rate;
  uint64_t min_seconds = 1;
  uint64_t max_seconds = 86'400;
};

/// Keeps the ask in the store, so that the same offer is the same ask after a restart; another
/// offer, or an ask that is about to run out, is a new ask, and the old one is to be cancelled.
class Listing {
 public:
  /// An open ask is sent again after so long, which changes nothing; where the exchange has ended
  /// it meanwhile (its provider was on a list for a while), it is listed anew.
  static constexpr uint64_t kConfirmMs = 60'000;

  Listing(Store& store, const eip712::Domain& domain, const SecretKey& key)
      : store_(store), domain_(domain), key_(key) {}

  /// Reads the stored ask, or makes one for `offer` at `now`. True if it is another than before.
  /// `taken`: units of open leases by their ask. The exchange counts those of the ask itself; what
  /// leases of earlier asks use is not offered meanwhile. unavailable: a new ask is due, and no
  /// unit is free.
  Result<bool> refresh(const Offer& offer, uint64_t now_seconds,
                       const std::map<OrderId, uint32_t>& taken = {});

  /// The next refresh makes another ask, whatever the offer.
  void renew() { renew_ = true; }

  const eip712::Ask& ask() const { return ask_; }
  const OrderId& id() const { return id_; }
  const std::string& attributes() const { return attributes_; }
  const Signature& signature() const { return signature_; }

  /// Asks that were replaced and may still be open.
  const std::vector<OrderId>& to_cancel() const { return to_cancel_; }
  Result<void> cancelled(const OrderId& ask);
  /// An ask of ours that is open at the exchange and that nobody here remembers (its file was
  /// damaged): it is to be cancelled too.
  void disown(const OrderId& ask);

  bool listed = false;       ///< the exchange has it, over this connection
  bool sent = false;         ///< and has been asked to
  uint64_t again_at_ms = 0;  ///< when to try again
  bool cancelling = false;   ///< a cancellation is on its way
  uint64_t cancel_again_at_ms = 0;

 private:
  Result<void> load();
  Result<void> save(const eip712::Ask& ask, const std::string& attributes,
                    const Signature& signature, const std::vector<OrderId>& to_cancel);

  Store& store_;
  eip712::Domain domain_;
  const SecretKey& key_;
  bool loaded_ = false;
  bool have_ = false;
  bool renew_ = false;
  eip712::Ask ask_;
  OrderId id_;
  std::string attributes_;
  Signature signature_;
  std::vector<OrderId> to_cancel_;
};

}  // namespace mizan::provider
