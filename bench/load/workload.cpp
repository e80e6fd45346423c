#include "load/workload.hpp"

#include "crypto/hash.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace mizan::bench {

using namespace exchange;

namespace {

constexpr size_t kProviders = 5000;
constexpr size_t kBuyers = 2000;
constexpr size_t kForms = 8192;
constexpr uint64_t kFirstBuyer = 1'000'000;

enum Kind : uint8_t {
  place_ask,
  cancel_ask,
  simple_bid,
  query_bid,
  cancel_bid,
  accept,
  beat,
  voucher,
  close,
  finalize
};

template <class T>
std::optional<T> pop(std::deque<T>& queue) {
  if (queue.empty()) return std::nullopt;
  T out = std::move(queue.front());
  queue.pop_front();
  return out;
}

std::string spec_of(const std::string& query) {
  return fmt::format(R"({{"immediate_or_cancel":false,"job":{{"image":"sha256:{:064}","run":)"
                     R"("python3 train.py --epochs 10 --data /inputs/data"}},"query":"{}",)"
                     R"("split":false}})",
                     7, query);
}

}  // namespace

Genesis bench_genesis(const Address& identity, const Address& meter) {
  Genesis genesis;
  genesis.identity = genesis.operator_ = genesis.clearance = genesis.fee_to = identity;
  genesis.meter = meter;
  Bytes seed(as_bytes("mizan-exchange").begin(), as_bytes("mizan-exchange").end());
  seed.insert(seed.end(), identity.bytes.begin(), identity.bytes.end());
  genesis.exchange_id = keccak256(seed);
  genesis.fee_bps = 0;
  return genesis;
}

Workload::Workload(const Hash32& exchange_id, const Address& meter, const Mix& mix, uint64_t asks,
                   uint64_t now_s)
    : world_(3),
      domain_(eip712::Domain::credits(exchange_id)),
      meter_(meter),
      beats_(mix.beats),
      live_asks_(asks),
      now_s_(now_s),
      providers_(kProviders),
      nonces_(kBuyers) {
  const auto put = [this](Kind kind, uint32_t count) { kinds_.insert(kinds_.end(), count, kind); };
  put(place_ask, mix.asks);
  put(cancel_ask, mix.ask_cancels);
  put(simple_bid, mix.simple_bids);
  put(query_bid, mix.query_bids);
  put(cancel_bid, mix.bid_cancels);
  put(accept, mix.accepts);
  put(beat, mix.heartbeats);
  put(voucher, mix.vouchers);
  put(close, mix.closes);
  put(finalize, mix.finalizes);
  std::shuffle(kinds_.begin(), kinds_.end(), world_.random);
  for (size_t i = 0; i < kForms; ++i) {
    const market::Ask form = world_.ask(i + 1);
    PlaceAsk out;
    out.ask.chip = form.attributes.word(market::Field::chip);
    out.ask.nodes = form.nodes;
    out.ask.units_per_node = form.units_per_node;
    out.ask.min_units = 1;
    out.ask.rate = form.rate.nano;
    out.ask.until = now_s_ + 10'000'000;
    out.ask.max_seconds = 100'000;
    const auto number = [&](market::Field field) { return form.attributes.number(field) / 1000; };
    out.attributes = fmt::format(
        R"({{"cores":{{"source":"measured","value":{}}},"country":{{"source":"attested",)"
        R"("value":"{}"}},"disk_gb":{{"source":"measured","value":{}}},)"
        R"("memory_gb":{{"source":"measured","value":{}}}}})",
        number(market::Field::cores), form.attributes.word(market::Field::country),
        number(market::Field::disk_gb), number(market::Field::memory_gb));
    out.ask.attributes_hash = keccak256(out.attributes);
    ask_forms_.push_back(std::move(out));
    simple_specs_.push_back(spec_of("chip='" + world_.chips[world_.some_chip()] + "'"));
    query_specs_.push_back(spec_of(world_.query(false)));
  }
}

std::vector<Command> Workload::opening() {
  std::vector<Command> out;
  for (uint64_t b = 0; b < kBuyers; ++b)
    out.emplace_back(
        Grant{{numbered<Address>(kFirstBuyer + b), u128{1} << 90, b, now_s_ + 1'000'000}, {}});
  for (uint64_t n = 0; n < live_asks_; ++n) out.push_back(ask());
  return out;
}

Command Workload::ask() {
  PlaceAsk out = ask_forms_[made_ % kForms];
  out.ask.provider = numbered<Address>(1 + made_ % kProviders);
  out.ask.nonce = ++made_;
  asks_.emplace_back(eip712::digest(domain_, out.ask), out.ask.provider);
  return out;
}

Command Workload::bid(bool with_query) {
  const size_t buyer = world_.pick(kBuyers);
  PlaceBid out;
  out.bid.buyer = numbered<Address>(kFirstBuyer + buyer);
  out.bid.meter = meter_;
  out.bid.max_rate = 2'000'000;
  out.bid.nodes = 1;
  out.bid.units_per_node = 1;
  out.bid.max_seconds = 3600;
  out.bid.latest_start = out.bid.valid_until = now_s_ + 1'000'000;
  out.bid.grace = 60;
  out.bid.max_fee_bps = 10'000;
  out.bid.max_total = ~u128{0};
  out.bid.nonce = nonces_[buyer]++;
  out.spec = (with_query ? query_specs_ : simple_specs_)[world_.pick(kForms)];
  if (made_ % 8 == 0) out.bid.max_rate = 1;  // cheaper than every ask: it rests
  ++made_;
  return out;
}

Command Workload::heartbeat() {
  const size_t p = beating_++ % kProviders;
  Provider& provider = providers_[p];
  Heartbeat out;
  out.heartbeat.provider = numbered<Address>(1 + p);
  out.heartbeat.sequence = ++provider.sequence;
  for (Live& live : provider.leases) {
    eip712::LeaseStatus status;
    status.lease = live.id;
    status.phase = ++live.beats < beats_ ? 2 : 4;
    status.ran_ms = 1000ULL * live.beats;
    out.heartbeat.leases.push_back(std::move(status));
    if (live.beats == beats_) to_close_.push_back(live.id);
  }
  std::erase_if(provider.leases, [this](const Live& live) { return live.beats >= beats_; });
  return out;
}

void Workload::read_mail() {
  Mail mail;
  {
    const std::lock_guard lock(mutex_);
    std::swap(mail, mail_);
  }
  to_accept_.insert(to_accept_.end(), mail.matches.begin(), mail.matches.end());
  to_cancel_.insert(to_cancel_.end(), mail.resting.begin(), mail.resting.end());
  to_finalize_.insert(to_finalize_.end(), mail.bills.begin(), mail.bills.end());
}

Command Workload::next() {
  if (at_ % 64 == 0) read_mail();
  switch (kinds_[at_++ % kinds_.size()]) {
    case place_ask:
      return ask();
    case cancel_ask: {
      auto& victim = asks_[world_.pick(asks_.size())];
      CancelAsk out;
      out.cancel = {victim.second, victim.first};
      victim = asks_.back();
      asks_.pop_back();
      return out;
    }
    case simple_bid:
      return bid(false);
    case query_bid:
      return bid(true);
    case cancel_bid:
      if (const auto bid = pop(to_cancel_)) {
        CancelBids out;
        out.cancel.owner = bid->buyer;
        out.cancel.word = bid->nonce / 256;
        out.cancel.mask.bytes[31 - bid->nonce % 256 / 8] =
            static_cast<uint8_t>(1U << (bid->nonce % 8));
        out.cancel.deadline = now_s_ + 1'000'000;
        return out;
      }
      break;
    case accept:
      if (const auto terms = pop(to_accept_)) {
        const LeaseId id = eip712::digest(domain_, *terms);
        size_t provider = 0;
        for (size_t i = 12; i < 20; ++i) provider = provider << 8 | terms->provider.bytes[i];
        providers_[provider - 1].leases.push_back({id});
        running_ = id;
        return Accept{*terms, {}};
      }
      break;
    case voucher:
      if (!running_.is_zero()) return PostVoucher{{std::exchange(running_, {}), 0}, {}};
      break;
    case close:
      if (const auto id = pop(to_close_)) return Close{{*id, 0}, {}};
      break;
    case finalize:
      if (const auto bill = pop(to_finalize_)) return *bill;
      break;
    default:
      break;
  }
  return heartbeat();
}

void Workload::learn(const Outcome& outcome, const Exchange& core) {
  if (!outcome.answer) {
    if (refused_++ < 5) fmt::print("refused: {}\n", outcome.answer.error().message);
    return;
  }
  for (const Event& event : outcome.events) {
    if (const auto* matched = std::get_if<Matched>(&event)) {
      const eip712::Terms& terms = core.find_lease(matched->lease)->terms;
      const std::lock_guard lock(mutex_);
      mail_.matches.push_back(terms);
    } else if (const auto* closing = std::get_if<LeaseClosing>(&event)) {
      const std::lock_guard lock(mutex_);
      mail_.bills.push_back({closing->lease, closing->cumulative.nano, Signature{}});
    } else if (const auto* bid = std::get_if<BidChanged>(&event);
               bid != nullptr && bid->change == BidChange::resting) {
      for (const OpenBid& open : core.bids_of(bid->buyer))
        if (open.id == bid->order) {
          const std::lock_guard lock(mutex_);
          mail_.resting.push_back({bid->buyer, open.bid.nonce});
        }
    }
  }
}

}  // namespace mizan::bench
