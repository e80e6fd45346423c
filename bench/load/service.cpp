// The whole service: signed orders over HTTP, beside what the cores can verify.
// SPDX-License-Identifier: Apache-2.0
#include "codec/json_fields.hpp"
#include "crypto/eip712.hpp"
#include "crypto/hash.hpp"
#include "load/exchange_process.hpp"
#include "load/http_sender.hpp"
#include "load/ladder.hpp"
#include "load/parts.hpp"
#include "load/scopes.hpp"
#include "net/client.hpp"

#include <boost/json/object.hpp>
#include <fmt/core.h>

#include <thread>

namespace mizan::bench {
namespace {

constexpr size_t kAccounts = 200;
constexpr size_t kConnections = 64;
constexpr uint64_t kYear = 365ULL * 24 * 3600;

struct Account {
  SecretKey key;
  uint64_t round = 0;
};

std::string request(const std::string& target, const json::object& body) {
  const std::string text = json_text(body);
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n{}",
      target, text.size(), text);
}

/// An account's rounds of ten orders: four asks, four that each cancel one of the round before, a
/// bid that rests, and one that cancels the bid of the round before. Its first round only places.
class Orders {
 public:
  Orders(const Hash32& exchange_id, const Address& meter, uint64_t now_s)
      : domain_(eip712::Domain::credits(exchange_id)), meter_(meter), now_s_(now_s) {
    for (size_t i = 0; i < kAccounts; ++i) accounts_.push_back({SecretKey::generate()});
  }
  const std::vector<Account>& accounts() const { return accounts_; }

  /// Signs `count` more on all cores; the order in which they are sent is that in which they stand.
  std::vector<std::string> sign(size_t count) {
    std::vector<std::string> out(count);
    const size_t threads = std::max(2U, std::thread::hardware_concurrency());
    std::vector<std::thread> pool;
    // An account's orders are one thread's, which keeps its nonces in order.
    for (size_t t = 0; t < threads; ++t)
      pool.emplace_back([&, t] {
        for (size_t i = 0; i < count; ++i)
          if ((made_ + i) / 10 % kAccounts % threads == t) out[i] = one(made_ + i);
      });
    for (std::thread& thread : pool) thread.join();
    made_ += count;
    return out;
  }

 private:
  std::string one(uint64_t n) {
    Account& account = accounts_[n / 10 % kAccounts];
    const uint64_t kind = n % 10;
    const uint64_t round = kind == 9 ? account.round++ : account.round;
    if (kind < 4) return ask(account, 4 * round + 5 + kind);
    if (kind < 8 && round == 0) return ask(account, kind - 3);
    if (kind < 8) return cancel_ask(account, 4 * round + kind - 7);
    if (kind == 8) return bid(account, round + 1);
    return round == 0 ? bid(account, 0) : cancel_bid(account, round - 1);
  }
  eip712::Ask ask_of(const Account& account, uint64_t nonce) const {
    eip712::Ask ask;
    ask.provider = account.key.address();
    ask.chip = "H100 SXM";
    ask.nodes = 1;
    ask.units_per_node = 8;
    ask.min_units = 1;
    ask.rate = 500'000 + nonce % 1000;
    ask.until = now_s_ + kYear;
    ask.max_seconds = 100'000;
    ask.attributes_hash = keccak256(kAttributes);
    ask.nonce = nonce;
    return ask;
  }
  std::string ask(const Account& account, uint64_t nonce) const {
    const eip712::Ask ask = ask_of(account, nonce);
    return request("/v1/asks", {{"ask", to_json(ask)},
                                {"attributes", must(parse_json(kAttributes))},
                                {"signature", to_json(eip712::sign(domain_, ask, account.key))}});
  }
  std::string cancel_ask(const Account& account, uint64_t nonce) const {
    const eip712::CancelAsk cancel{account.key.address(),
                                   eip712::digest(domain_, ask_of(account, nonce))};
    return request("/v1/asks/cancel",
                   {{"cancel", to_json(cancel)},
                    {"signature", to_json(eip712::sign(domain_, cancel, account.key))}});
  }
  std::string bid(const Account& account, uint64_t nonce) const {
    eip712::Bid bid;
    bid.buyer = account.key.address();
    bid.meter = meter_;
    bid.max_rate = 1000;
    bid.nodes = 1;
    bid.units_per_node = 1;
    bid.max_seconds = 3600;
    bid.latest_start = bid.valid_until = now_s_ + kYear;
    bid.grace = 60;
    bid.max_fee_bps = 10'000;
    bid.max_total = u128{1} << 80;
    bid.spec_hash = keccak256(kSpec);
    bid.nonce = nonce;
    return request("/v1/bids", {{"bid", to_json(bid)},
                                {"spec", must(parse_json(kSpec))},
                                {"signature", to_json(eip712::sign(domain_, bid, account.key))}});
  }
  std::string cancel_bid(const Account& account, uint64_t nonce) const {
    eip712::CancelBids cancel;
    cancel.owner = account.key.address();
    cancel.word = nonce / 256;
    cancel.mask.bytes[31 - nonce % 256 / 8] = static_cast<uint8_t>(1U << (nonce % 8));
    cancel.deadline = now_s_ + kYear;
    return request("/v1/bids/cancel",
                   {{"cancel", to_json(cancel)},
                    {"signature", to_json(eip712::sign(domain_, cancel, account.key))}});
  }

  static constexpr std::string_view kAttributes =
      R"({"cores":{"source":"measured","value":64},"country":{"source":"attested","value":"DE"},)"
      R"("memory_gb":{"source":"measured","value":512}})";
  static constexpr std::string_view kSpec =
      R"({"immediate_or_cancel":false,"job":{"run":"python3 train.py"},)"
      R"("query":"chip='H100 SXM' memory_gb>=64","split":false})";

  const eip712::Domain domain_;
  const Address meter_;
  const uint64_t now_s_;
  std::vector<Account> accounts_;
  uint64_t made_ = 0;
};

/// Signatures that one core verifies in a second, by a thread's own time.
double verified_a_second() {
  const SecretKey key = SecretKey::generate();
  constexpr int kCount = 5000;
  std::vector<std::pair<Hash32, Signature>> all;
  for (int i = 0; i < kCount; ++i) {
    const Hash32 digest = keccak256(std::to_string(i));
    all.emplace_back(digest, key.sign(digest));
  }
  timespec before{};
  timespec after{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
  for (const auto& [digest, signature] : all)
    if (*recover(digest, signature) != key.address()) std::abort();
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
  const double took = static_cast<double>(after.tv_sec - before.tv_sec) +
                      static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e9;
  return kCount / took;
}

}  // namespace

void service_scope(const LoadOptions& options) {
  const SecretKey operator_key = SecretKey::generate();
  ExchangeProcess exchange(options, operator_key.address());
  const auto keys = must(service::open_keys(exchange.state_folder(), {}));
  const uint64_t now_s = system_clock().now().seconds();
  Orders orders(exchange.id(), keys.meter.address(), now_s);
  net::Client client(must(net::parse_url(exchange.url())));
  for (size_t i = 0; i < orders.accounts().size(); ++i) {
    const eip712::Grant grant{orders.accounts()[i].key.address(), u128{1} << 80, i, now_s + 3600};
    must(client.post("/v1/grants",
                     json_text(json::object{
                         {"grant", to_json(grant)},
                         {"signature", to_json(eip712::sign(eip712::Domain::credits(exchange.id()),
                                                            grant, operator_key))}})));
  }
  const double verified = verified_a_second();
  fmt::print("one core verifies {:.0f} signatures/s and does nothing else; {} cores, {}\n",
             verified, std::thread::hardware_concurrency(), "the sender runs on the same ones");
  print_head("service: signed orders over HTTP, " + std::to_string(kConnections) +
             " connections of 16 addresses");
  std::vector<double> rates = options.rates;
  if (rates.empty()) rates = {500, 1e3, 2e3, 4e3, 6e3, 8e3, 10e3, 12e3, 14e3, 16e3, 20e3};
  for (const double rate : rates) {
    OpenLoop loop(rate, options.seconds);
    const std::vector<std::string> requests = orders.sign(loop.count());
    // Connected when there is something to send: the exchange closes idle connections.
    HttpSender sender(exchange.port(), kConnections);
    const double before = exchange.cpu_seconds();
    const SenderResult result = sender.send(requests, loop);
    const double cpu = (exchange.cpu_seconds() - before) / static_cast<double>(loop.count());
    const Rung rung = loop.finish(result.last_answer);
    print(rung);
    fmt::print(
        "{:>12} {:.1f} us of the exchange's CPU an order, of which verifying {:.0f} %; the "
        "sender {:.1f} us; {} not 2xx\n",
        "", cpu * 1e6, 100 / verified / cpu, result.cpu_us, result.refused);
    if (!rung.sustained()) break;
  }
}

}  // namespace mizan::bench
