#include "simulation/own_meter.hpp"

#include "codec/json_fields.hpp"

namespace mizan::simulation {
namespace {

constexpr uint64_t kEveryMs = 2'000;
constexpr uint64_t kWayMs = 2'000;
constexpr unsigned kRefusals = 5;

}  // namespace

OwnMeter::OwnMeter(Surroundings& world, Network& network, ExchangeHost& exchange,
                   const net::Signer& signer, Network::Place place, const std::string& buyer)
    : world_(world),
      network_(network),
      exchange_(exchange),
      signer_(signer),
      place_(place),
      mind_(world.random.fork("own meter " + buyer)),
      here_(world.random.fork("own meters").chance(2'000)),
      key_(world.key("meter of " + buyer)),
      exchanges_(exchange.keys().meter.address()) {}

const Address& OwnMeter::of_bid(uint64_t nonce) const {
  return here_ && nonce % 3 == 0 ? key_.address() : exchanges_;
}

void OwnMeter::take(const LeaseId& lease, const eip712::Terms& terms) {
  if (terms.meter != key_.address()) return;
  if (leases_.emplace(lease, Own{terms}).second) again(lease, kEveryMs);
}

void OwnMeter::again(const LeaseId& id, uint64_t in_ms) {
  world_.scheduler.after(in_ms, [this, id] { round(id); });
}

void OwnMeter::round(const LeaseId& id) {
  const auto own = leases_.find(id);
  if (own == leases_.end()) return;
  if (mind_.chance(200)) {
    own->second.meter.reset();
    return again(id, mind_.between(1'000, 120'000));
  }
  net::Request request;
  request.method = "GET";
  request.target = "/v1/leases/" + hex0x(id.view()) + "/metering";
  request.headers = signer_.sign("GET", request.target, "", "", exchange_.time());
  network_.request(place_, std::move(request), [this, id](const Heard& heard) {
    world_.expect(heard.status != 500, "metering fails: " + heard.body);
    if (heard.status == 404) {
      leases_.erase(id);
      return;
    }
    if (heard.status != 200) return again(id, kEveryMs);
    hear(id, parse_json(heard.body).value().get_object());
  });
}

void OwnMeter::hear(const LeaseId& id, const json::object& metering) {
  Own& own = leases_.at(id);
  const auto read = [&]<class T>(const char* name, T) {
    return from_json<T>(metering.at(name), name).value();
  };
  if (read("lease", LeaseId{}) != id) {  // it was held, and goes on under other terms: left alone
    leases_.erase(id);
    return;
  }
  const u128 vouchered = read("vouchered", u128{});
  const UnixMs opened{read("openedAtMs", uint64_t{})};
  if (opened.ms == 0) return again(id, kEveryMs);
  if (!own.meter) {
    if (vouchered != 0) {
      const auto good = eip712::check_signer(exchange_.domain(), eip712::Voucher{id, vouchered},
                                             read("voucherSignature", Signature{}), key_.address());
      world_.expect(good.has_value(), "a voucher that this meter never signed");
    }
    own.meter.emplace(own.terms, exchange_.config().readiness_s, opened, Money{vouchered});
  }
  if (!metering.at("heartbeat").is_null()) {
    const auto heard =
        own.meter->hear(exchange_.domain(), id, read("heartbeat", exchange::SealedHeartbeat{}),
                        read("status", eip712::LeaseStatus{}), read("signature", Signature{}),
                        UnixMs{exchange_.time().ms + kWayMs});
    world_.expect(heard.has_value(),
                  heard ? "" : "a heartbeat is not its provider's: " + heard.error().message);
  }
  const Money owed = own.meter->owed(read("secondsBilled", uint64_t{}));
  const bool closing = read("closing", false);
  if (owed.nano > vouchered) return post(id, owed);
  if (closing)
    leases_.erase(id);
  else
    again(id, kEveryMs);
}

void OwnMeter::post(const LeaseId& id, Money owed) {
  const eip712::Voucher voucher{id, owed.nano};
  net::Request request;
  request.method = "POST";
  request.target = "/v1/leases/" + hex0x(id.view()) + "/voucher";
  request.body = json_text(
      json::object{{"voucher", to_json(voucher)},
                   {"signature", to_json(eip712::sign(exchange_.domain(), voucher, key_))}});
  network_.request(place_, std::move(request), [this, id](const Heard& heard) {
    const bool lost = heard.status == 0 || heard.status == 503;
    world_.expect(lost || heard.status == 200 || heard.status == 404 || heard.status == 409,
                  "a voucher is refused: " + heard.body);
    if (heard.status == 200) exchange_.told(parse_json(heard.body).value());
    // It is over, or a voucher whose answer was lost came before.
    if (heard.status >= 400 && !lost && ++leases_.at(id).refused >= kRefusals) {
      leases_.erase(id);
      return;
    }
    again(id, kEveryMs);
  });
}

}  // namespace mizan::simulation
