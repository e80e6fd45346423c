#include "simulation/buyer.hpp"

#include "codec/json_fields.hpp"

#include <fmt/format.h>

namespace mizan::simulation {
namespace {

constexpr size_t kRemembered = 40;
constexpr unsigned kTries = 6;

}  // namespace

Buyer::Buyer(Surroundings& world, Network& network, ExchangeHost& exchange, Auditor& auditor,
             const std::string& name)
    : world_(world),
      network_(network),
      exchange_(exchange),
      auditor_(auditor),
      name_(name),
      random_(world.random.fork(name)),
      clock_(world.scheduler),
      key_(world.key(name)),
      signer_(exchange.domain(), key_.clone()),
      place_(network.join()),
      meter_(world, network, exchange, signer_, place_, name) {}

void Buyer::begin() {
  active_ = true;
  world_.scheduler.after(random_.between(1, 3'000), [this] { act(); });
}

void Buyer::retire() {
  active_ = false;
}

void Buyer::act() {
  if (!active_) return;
  const uint64_t what = random_.below(100);
  if (what < 70)
    place_bid();
  else if (what < 78)
    cancel();
  else if (what < 88)
    stop_lease();
  else
    look_around();
  world_.scheduler.after(random_.between(10, 4'000), [this] { act(); });
}

void Buyer::send(Sent sent) {
  net::Request request;
  request.method = "POST";
  request.target = sent.target;
  request.body = sent.body;
  if (!sent.idempotency.empty()) request.headers.emplace_back("Idempotency-Key", sent.idempotency);
  network_.request(
      place_, std::move(request), [this, sent = std::move(sent)](const Heard& heard) mutable {
        if (heard.status == 0 || heard.status == 503) {
          // Nobody knows whether it was done: the same again, under the same key.
          const Error lost{ErrorCode::unavailable, "no answer", {}};
          if (++sent.tries >= kTries) return sent.heard ? sent.heard(nullptr, lost) : void();
          const uint64_t in_ms = random_.between(100, 2'000) * sent.tries;
          world_.scheduler.after(in_ms, [this, sent = std::move(sent)] { send(sent); });
          return;
        }
        world_.expect(heard.status != 500, sent.target + ": the exchange failed: " + heard.body);
        if (heard.status >= 400) {
          if (world_.talks) world_.say(name_, sent.target + ": " + heard.body);
          const Error error = net::parse_error(heard.status, heard.body);
          return sent.heard ? sent.heard(nullptr, error) : void();
        }
        const auto value = parse_json(heard.body, {.max_bytes = 8 << 20});
        const json::object& answer = value.value().get_object();
        if (answer.contains("acknowledgement")) exchange_.told(value.value());
        if (!sent.idempotency.empty()) {
          // The same key, the same deal: a repetition makes no second lease.
          std::set<std::string> order{
              std::string(answer.contains("order") ? answer.at("order").get_string().c_str() : "")};
          const auto [known, fresh] = answers_.emplace(sent.idempotency, order);
          world_.expect(fresh || known->second == order, "one key was answered with two orders");
        }
        if (sent.heard) sent.heard(&answer, {});
      });
}

eip712::Bid Buyer::new_bid(uint32_t units, uint64_t seconds, uint64_t max_rate) {
  const uint64_t now = clock_.now().seconds();
  eip712::Bid bid;
  bid.buyer = key_.address();
  bid.max_rate = max_rate;
  bid.nodes = 1;
  bid.units_per_node = units;
  bid.max_seconds = seconds;
  bid.latest_start = bid.valid_until = now + random_.between(5, 60);
  bid.all_or_none = true;
  bid.grace = random_.between(10, random_.chance(5'000) ? 30 : 180);
  bid.max_total = ~u128{0};
  bid.max_fee_bps = 500;
  bid.nonce = nonce_++;
  bid.meter = meter_.of_bid(bid.nonce);
  return bid;
}

json::object Buyer::spec(const Script& script, const std::string& query, uint32_t units,
                         bool immediate, bool outputs) {
  job::Job job;
  job.name = "a-job";
  job.run = script.text();
  job.max_seconds = 3'600;
  job.cores = units;
  if (outputs) {
    job.outputs = {"model.pt"};
    job.output_key.bytes[0] = 1;
  }
  json::object made = to_json(job::Spec{job, query, false, immediate}).get_object();
  made.erase("declaration");
  if (!random_.chance(1'000)) {
    json::object declaration{{"end_use", "commercial"}, {"end_user", "self"}};
    declaration["training"] = random_.chance(5'000);
    made["declaration"] = std::move(declaration);
  }
  return made;
}

std::string Buyer::bid_body(eip712::Bid& bid, const json::object& spec) const {
  bid.spec_hash = canonical_json_hash(spec).value();
  return json_text(
      json::object{{"bid", to_json(bid)},
                   {"spec", spec},
                   {"signature", to_json(eip712::sign(exchange_.domain(), bid, key_))}});
}

void Buyer::took(const json::object& answer) {
  for (const json::value& lease : answer.at("leases").get_array()) {
    const auto id = from_json<LeaseId>(lease.get_object().at("lease"), "lease");
    world_.expect(id && auditor_.core().find_lease(*id) != nullptr,
                  "a lease was answered that the journal does not have");
    if (!id) continue;
    if (const exchange::Lease* known = auditor_.core().find_lease(*id))
      meter_.take(*id, known->terms);
    if (leases_.size() >= kRemembered) leases_.erase(leases_.begin());
    leases_.push_back(*id);
  }
}

void Buyer::place_bid() {
  Script script;
  script.runs_ms = random_.between(1, 30'000);
  script.exit_code = random_.chance(8'000) ? 0 : static_cast<int32_t>(random_.between(1, 200));
  script.lines = random_.below(6);
  script.deaf = random_.chance(1'000);
  static constexpr std::array kQueries = {"",           "",
                                          "",           "cores>=2",
                                          "country=SG", "memory_gb>=8",
                                          "rate<1500",  "reliability>=0.5",
                                          "country=JP"};
  const auto units = static_cast<uint32_t>(random_.between(1, random_.chance(7'000) ? 2 : 8));
  const bool immediate = random_.chance(6'000);
  // One draw a statement: compilers differ in the order of a call's arguments.
  const uint64_t seconds = random_.between(1, 90);
  eip712::Bid bid = new_bid(units, seconds, random_.between(400, 3'000));
  if (random_.chance(300)) bid.nonce = random_.between(1, nonce_);  // one that was used, perhaps
  const bool outputs = random_.chance(5'000);
  const json::object made =
      spec(script, kQueries[random_.below(kQueries.size())], units, immediate, outputs);
  send({"/v1/bids", bid_body(bid, made), fmt::format("bid-{}", ++requests_), 0,
        [this](const json::object* answer, const Error&) {
          if (answer != nullptr) took(*answer);
        }});
}

void Buyer::cancel() {
  eip712::CancelBids cancel;
  cancel.owner = key_.address();
  const uint64_t nonce = nonce_ - std::min(nonce_, random_.below(6));
  cancel.word = nonce / 256;
  cancel.mask.bytes[31 - nonce % 256 / 8] = static_cast<uint8_t>(1 << (nonce % 8));
  cancel.deadline = clock_.now().seconds() + 60;
  world_.wishes.cancels.insert({key_.address(), nonce});
  send({"/v1/bids/cancel",
        json_text(
            json::object{{"cancel", to_json(cancel)},
                         {"signature", to_json(eip712::sign(exchange_.domain(), cancel, key_))}}),
        "", 0, nullptr});
}

void Buyer::stop_lease() {
  if (leases_.empty()) return;
  eip712::RequestClose request;
  request.lease = leases_[random_.below(leases_.size())];
  request.deadline = clock_.now().seconds() + 60;
  world_.wishes.stops.insert(request.lease);
  send({"/v1/leases/" + hex0x(request.lease.view()) + "/request-close",
        json_text(
            json::object{{"request", to_json(request)},
                         {"signature", to_json(eip712::sign(exchange_.domain(), request, key_))}}),
        "", 0, nullptr});
}

/// What only reads: it must answer, and must agree with the books where they can be compared.
void Buyer::look_around() {
  net::Request request;
  request.method = "GET";
  const uint64_t what = random_.below(4);
  if (what == 0) request.target = "/v1/offers?query=" + net::percent_encode("cores>=1");
  if (what == 1) request.target = "/v1/accounts/" + hex0x(key_.address().view());
  if (what == 2) request.target = "/v1/leases";
  if (what == 3) {
    if (leases_.empty()) return;
    const LeaseId& lease = leases_[random_.below(leases_.size())];
    request.target =
        "/v1/leases/" + hex0x(lease.view()) + (random_.chance(5'000) ? "" : "/receipt");
  }
  request.headers = signer_.sign("GET", request.target, "", "", exchange_.time());
  network_.request(place_, std::move(request), [this, what](const Heard& heard) {
    world_.expect(heard.status != 500, "a look at the exchange fails: " + heard.body);
    world_.expect(heard.status == 0 || heard.status == 200 || what == 3 || heard.status == 401 ||
                      heard.status == 503,
                  "a look at the exchange is refused: " + heard.body);
  });
}

void Buyer::want(const std::string& provider) {
  wants_[provider].provider = provider;
  try_want(provider);
}

void Buyer::try_want(const std::string& provider) {
  Script script;
  script.runs_ms = random_.between(500, 8'000);
  script.lines = 3;
  eip712::Bid bid = new_bid(1, 60, ~uint64_t{0} >> 16);
  bid.grace = 60;
  bid.meter = exchange_.keys().meter.address();  // nobody goes away
  bid.latest_start = bid.valid_until = exchange_.time().seconds() + 60;
  json::object made = spec(script, "network=" + provider, 1, true, true);
  made["declaration"] =
      json::object{{"end_use", "commercial"}, {"end_user", "self"}, {"training", false}};
  send({"/v1/bids", bid_body(bid, made), fmt::format("want-{}", ++requests_), 0,
        [this, provider](const json::object* answer, const Error& error) {
          Want& want = wants_[provider];
          if (answer == nullptr || answer->at("leases").get_array().empty()) {
            want.last = std::string(to_string(error.code)) + ": " + error.message;
            world_.scheduler.after(2'000, [this, provider] { try_want(provider); });
            return;
          }
          took(*answer);
          want.lease = leases_.back();
        }});
}

}  // namespace mizan::simulation
