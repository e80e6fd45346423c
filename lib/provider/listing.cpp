#include "provider/listing.hpp"

#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"

#include <algorithm>

namespace mizan::provider {
namespace {

constexpr const char* kName = "ask.json";
constexpr uint64_t kDay = 86'400;
constexpr uint64_t kGrowAfterSeconds = 3'600;
constexpr size_t kCancelMax = 64;

}  // namespace

Result<void> Listing::load() {
  MIZAN_TRY(text, store_.get(kName));
  loaded_ = true;
  if (!text) return {};
  MIZAN_TRY(value, parse_json(*text, {}, "ask.json"));
  ObjectReader in(value, "ask.json");
  in.required("ask", ask_);
  in.required("attributes", attributes_);
  in.required("signature", signature_);
  in.required("cancel", to_cancel_);
  MIZAN_CHECK(in.finish());
  id_ = eip712::digest(domain_, ask_);
  have_ = true;
  return {};
}

Result<void> Listing::save(const eip712::Ask& ask, const std::string& attributes,
                           const Signature& signature, const std::vector<OrderId>& to_cancel) {
  return store_.put(kName,
                    json_text(json::object{{"ask", to_json(ask)},
                                           {"attributes", to_json(attributes)},
                                           {"signature", to_json(signature)},
                                           {"cancel", to_json(to_cancel)}}),
                    Durability::machine);
}

Result<bool> Listing::refresh(const Offer& offer, uint64_t now_seconds,
                              const std::map<OrderId, uint32_t>& taken) {
  if (!loaded_) {
    // A damaged file costs a second ask at most; matches of the first are then turned down.
    if (auto found = load(); !found && found.error().code == ErrorCode::io_error)
      return fail(std::move(found).error());
  }
  uint32_t here = 0;
  uint32_t all = 0;
  for (const auto& [ask, units] : taken) {
    if (have_ && ask == id_) here = units;
    all += units;
  }
  const uint32_t capacity = offer.capacity.units;
  const uint32_t free = capacity - std::min(capacity, all);
  // It is renewed while the longest lease still fits into its window.
  const bool good = !renew_ && have_ && ask_.provider == key_.address() &&
                    ask_.rate == offer.rate.nano && ask_.min_seconds == offer.min_seconds &&
                    ask_.max_seconds == offer.max_seconds && attributes_ == offer.attributes &&
                    now_seconds >= ask_.from && now_seconds + offer.max_seconds + kDay < ask_.until;
  // What became free since it was made is offered once it costs its leases nothing, or after a
  // while: with each new ask they are an earlier one's, and what they use is missing in that.
  const bool waits = ask_.units_per_node < free + here && here != 0 &&
                     now_seconds < ask_.from + kGrowAfterSeconds;
  if (good && (free == 0 || waits || ask_.units_per_node == free + here)) return false;
  if (free == 0) return fail(ErrorCode::unavailable, "leases of an earlier ask use every unit");
  auto to_cancel = to_cancel_;
  if (have_) to_cancel.push_back(id_);
  if (to_cancel.size() > kCancelMax) to_cancel.erase(to_cancel.begin());
  eip712::Ask ask;
  ask.provider = key_.address();
  ask.chip = "cpu";
  ask.nodes = 1;
  ask.units_per_node = free;
  ask.min_units = 1;
  ask.rate = offer.rate.nano;
  ask.from = now_seconds;
  ask.until = now_seconds + 2 * offer.max_seconds + 30 * kDay;
  ask.min_seconds = offer.min_seconds;
  ask.max_seconds = offer.max_seconds;
  ask.attributes_hash = keccak256(offer.attributes);
  ask.payees_hash = offer.payees_hash;
  // Nonces rise: with the clock, or past the last one where the clock stepped back.
  ask.nonce = std::max(now_seconds, have_ ? ask_.nonce + 1 : 0);
  const Signature signature = eip712::sign(domain_, ask, key_);
  // On the disk before it is sent: one that nobody remembers would be matched and turned down until
  // it runs out.
  MIZAN_CHECK(save(ask, offer.attributes, signature, to_cancel));
  ask_ = ask;
  id_ = eip712::digest(domain_, ask_);
  attributes_ = offer.attributes;
  signature_ = signature;
  to_cancel_ = std::move(to_cancel);
  have_ = true;
  renew_ = false;
  listed = sent = false;
  return true;
}

void Listing::disown(const OrderId& ask) {
  if (ask == id_ || std::ranges::find(to_cancel_, ask) != to_cancel_.end() ||
      to_cancel_.size() >= kCancelMax)
    return;
  to_cancel_.push_back(ask);
}

Result<void> Listing::cancelled(const OrderId& ask) {
  std::erase(to_cancel_, ask);
  return save(ask_, attributes_, signature_, to_cancel_);
}

}  // namespace mizan::provider
