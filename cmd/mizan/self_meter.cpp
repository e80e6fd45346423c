#include "mizan/self_meter.hpp"

#include "mizan/json_view.hpp"
#include "mizan/lease_terms.hpp"
#include "mizan/order_keys.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mizan::cli {
namespace {

// The exchange's clock, as we know it, may be off by the way there and back.
constexpr uint64_t kWayMs = 2000;
constexpr uint64_t kEveryMs = 2000;
constexpr std::chrono::milliseconds kSoonest{200};

}  // namespace

bool meters_itself(const Session& session, const OrderState& order) {
  return order.bid.meter != session.info().meter;
}

SelfMeter::SelfMeter(const Context& context, Session& session, const OrderState& order,
                     std::function<void(const std::string&)> say)
    : session_(session),
      order_(order),
      stopped_(order_folder(context.home, order.order) / "stopped"),
      key_(meter_key_of(session.key(), order.exchange_id, order.bid.nonce)),
      say_(std::move(say)) {
  const uint64_t ahead = session.exchange_time_ms() - system_clock().now().ms;
  not_before_.ms = order.created_at_ms + ahead;
}

FollowEvents SelfMeter::watch(FollowEvents events) {
  events.lease = [this, shown = std::move(events.lease)](const json::value& lease) {
    shown(lease);
    take(lease);
    round();
  };
  events.tick = [this, ticked = std::move(events.tick)] {
    ticked();
    round();
  };
  return events;
}

void SelfMeter::complain(const std::string& text) {
  if (text == complaint_) return;
  complaint_ = text;
  say_("metering: " + text);
}

void SelfMeter::take(const json::value& lease) {
  const auto id = member_or<LeaseId>(lease, "lease");
  if (lease_ != id) {
    lease_ = id;
    terms_.reset();
    meter_.reset();
    opened_ = {};
    auto terms = member<eip712::Terms>(lease, "terms");
    const auto good =
        terms ? check_lease_terms(session_.domain(), order_.bid, key_.address(), id, *terms)
              : fail(terms.error());
    if (good)
      terms_ = *std::move(terms);
    else
      complain(good.error().message);
  }
  const uint64_t told = member_or<uint64_t>(lease, "openedAtMs");
  if (told == 0) {
    not_before_ = std::max(not_before_, UnixMs{now().ms - kWayMs});
  } else if (opened_.ms == 0) {
    // The exchange's word, within what was seen here.
    opened_.ms = std::max(std::min(told, now().ms), not_before_.ms);
  }
  wake_ = true;
}

void SelfMeter::round() {
  if (!terms_ || opened_.ms == 0) return;
  const std::chrono::milliseconds every{
      std::min(kEveryMs, session_.info().voucher_interval_seconds * 1000)};
  const auto at = std::chrono::steady_clock::now();
  if (at < last_round_ + (wake_ ? kSoonest : every)) return;
  wake_ = false;
  last_round_ = at;
  if (auto done = meter(); !done && done.error().code != ErrorCode::unavailable)
    complain(done.error().message);
}

Result<void> SelfMeter::meter() {
  const std::string path = "/v1/leases/" + hex0x(lease_->view());
  MIZAN_TRY(answer, session_.get(path + "/metering"));
  MIZAN_TRY(seconds, member<uint64_t>(answer, "secondsBilled"));
  MIZAN_TRY(vouchered, member<u128>(answer, "vouchered"));
  if (!meter_) {
    // What this key has signed before, and not what the exchange says that it has.
    const auto before = member_or<Signature>(answer, "voucherSignature");
    const eip712::Voucher voucher{*lease_, vouchered};
    const bool ours =
        eip712::check_signer(session_.domain(), voucher, before, key_.address()).has_value();
    meter_.emplace(*terms_, session_.info().readiness_seconds, opened_,
                   Money{ours ? vouchered : 0});
  }
  std::error_code ignored;
  if (fs::exists(stopped_, ignored)) meter_->stop(now());
  if (!member_value(answer, "heartbeat").is_null()) {
    MIZAN_TRY(heartbeat, member<exchange::SealedHeartbeat>(answer, "heartbeat"));
    MIZAN_TRY(status, member<eip712::LeaseStatus>(answer, "status"));
    MIZAN_TRY(signature, member<Signature>(answer, "signature"));
    MIZAN_CHECK(meter_->hear(session_.domain(), *lease_, heartbeat, status, signature,
                             UnixMs{now().ms + kWayMs}));
  }
  const Money owed = meter_->owed(seconds);
  const uint64_t interval_ms = session_.info().voucher_interval_seconds * 1000;
  const bool due = member_or<bool>(answer, "closing") || now().ms >= signed_at_.ms + interval_ms;
  if (owed.nano <= vouchered || !due) return {};
  const eip712::Voucher voucher{*lease_, owed.nano};
  const json::object body{{"voucher", to_json(voucher)},
                          {"signature", to_json(eip712::sign(session_.domain(), voucher, key_))}};
  auto posted = session_.post(path + "/voucher", body);
  // Another client of this home may have been first.
  if (!posted && posted.error().code != ErrorCode::conflict) return fail(posted.error());
  if (posted) signed_at_ = now();
  return {};
}

}  // namespace mizan::cli
