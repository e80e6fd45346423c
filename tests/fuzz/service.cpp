// The whole service, without sockets: HTTP requests and agents' messages in any order. An input is
// steps with a byte 0x1e between them, each a line and a body:
//
//   METHOD TARGET WHO    an HTTP request; WHO signs it: o(perator), p(rovider), b(uyer) or nobody
//   AGENT                a message on the provider's channel
//   WAIT C               as many seconds pass as the character C has in ASCII
//   OPEN TARGET WHO      a WebSocket
//
// In both, @lease@ and @order@ stand for the last lease and order, @now@ for the time in seconds. A
// body whose "signature" is "good" gets the right addresses, hashes and signature first: what is
// behind them is read too.
#include "fuzz/fuzz.hpp"
#include "fuzz/temporary_folder.hpp"
#include "service/world.hpp"

using namespace mizan;

namespace {

constexpr size_t kMostSteps = 40;

SecretKey key_of(std::string_view name) {
  return SecretKey::from_bytes(keccak256(name).view()).value();
}

void replace(std::string& text, std::string_view from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
    text.replace(at, from.size(), to);
}

/// As service::World, but the same at each run, and without a test around it.
class Driven {
 public:
  Driven() {
    service::ServiceConfig config;
    config.operator_ = operator_.address();
    config.fee_bps = 200;
    config.state = folder_.path;
    config.log_bytes_max = 1000;
    config.artifacts.each_bytes = 100'000;
    auto opened =
        service::Service::open(std::move(config), {clock_, pool_, *journal_, keys_, log_});
    ensure(opened.has_value(), opened ? "" : opened.error().message);
    service_ = *std::move(opened);
    settle();
  }

  void request(std::string method, std::string target, std::string body, char who) {
    net::Request made;
    if (const SecretKey* key = key_named(who))
      made.headers = net::Signer(domain_, key->clone())
                         .sign(method, target, method == "PUT" ? "" : body, "", clock_.now());
    made.method = std::move(method);
    made.target = std::move(target);
    made.content_length = body.size();
    std::optional<Result<net::BodyPlan>> plan;
    service_->plan(made, [&](Result<net::BodyPlan> answer) { plan = std::move(answer); });
    settle();
    ensure(plan.has_value(), "each request gets its plan");
    if (!*plan) return;
    std::shared_ptr<net::BodySink> sink = (*plan)->sink;
    if (sink) {
      if (!sink->write(as_bytes(body))) return;
    } else if (body.size() > (*plan)->max_bytes) {
      return;
    } else {
      made.body = std::move(body);
    }
    std::optional<net::Response> response;
    service_->handle(std::move(made), std::move(sink),
                     [&](net::Response answer) { response = std::move(answer); });
    settle();
    ensure(response.has_value(), "each request is answered");
    if (response->file || response->content_type != "application/json") return;
    const auto value = parse_json(response->body, {.max_bytes = 8 << 20, .allow_fractions = true});
    ensure(value.has_value(), "each answer is JSON");
    if (response->status < 400) return remember(*value);
    ensure(value->as_object().contains("code") && value->at("code") != "internal",
           "a refusal has its own reason");
  }

  void upgrade(std::string target, char who) {
    net::Request head;
    if (const SecretKey* key = key_named(who))
      head.headers = net::Signer(domain_, key->clone()).sign("GET", target, "", "", clock_.now());
    head.method = "GET";
    head.target = std::move(target);
    service_->upgrade(std::move(head), [&](Result<std::shared_ptr<net::SocketHandler>> answer) {
      if (answer) handlers_.push_back(*answer);
    });
    settle();
    if (handlers_.empty() || opened_ == handlers_.size()) return;
    opened_ = handlers_.size();
    sockets_.push_back(std::make_shared<service::Received>(pool_));
    handlers_.back()->on_open(sockets_.back());
    settle();
  }

  void agent(std::string body) {
    if (!agent_) {
      upgrade("/v1/agent", 'p');
      if (handlers_.empty()) return;
      agent_ = handlers_.back();
      agent_socket_ = sockets_.back();
    }
    agent_->on_text(std::move(body), [] {});
    settle();
    for (const json::value& message : agent_socket_->messages) remember(message);
    agent_socket_->messages.clear();
  }

  void pass(uint64_t seconds) {
    clock_.pass(seconds * 1000);
    settle();
  }

  void fill_in(std::string& text) const {
    replace(text, "@lease@", hex0x(lease_.view()));
    replace(text, "@order@", hex0x(order_.view()));
    replace(text, "@now@", std::to_string(clock_.now().seconds()));
    replace(text, "@o@", to_checksum(operator_.address()));
    replace(text, "@p@", to_checksum(provider_.address()));
    replace(text, "@b@", to_checksum(buyer_.address()));
  }
  void sign(std::string& body) const;

  bool failed() const { return service_->sequencer().failed(); }

 private:
  void settle() {
    while (pool_.run() || service_->step()) {
    }
  }
  const SecretKey* key_named(char who) const {
    return who == 'o' ? &operator_ : who == 'p' ? &provider_ : who == 'b' ? &buyer_ : nullptr;
  }
  template <class Message>
  void sign_one(json::object& body, const char* name, const SecretKey& key,
                const std::function<void(Message&)>& mend) const {
    json::value* found = body.if_contains(name);
    if (found == nullptr) return;
    auto message = from_json<Message>(*found, name);
    if (!message) return;
    mend(*message);
    *found = to_json(*message);
    body["signature"] = to_json(eip712::sign(domain_, *message, key));
  }
  void remember(const json::value& answer) {
    const json::object* object = answer.if_object();
    if (object == nullptr) return;
    if (const json::value* order = object->if_contains("order"); order && order->is_string())
      if (const auto id = from_json<Hash32>(*order, "order")) order_ = *id;
    const json::value* lease = object->if_contains("lease");
    if (const json::value* leases = object->if_contains("leases"))
      if (leases->is_array() && !leases->as_array().empty()) lease = &leases->as_array()[0];
    if (lease != nullptr && lease->is_object()) lease = lease->as_object().if_contains("lease");
    if (lease != nullptr && lease->is_string())
      if (const auto id = from_json<Hash32>(*lease, "lease")) lease_ = *id;
    if (const json::value* terms = object->if_contains("terms"))
      if (const auto read = from_json<eip712::Terms>(*terms, "terms")) terms_ = *read;
  }

  service::ManualClock clock_;
  service::QueueExecutor pool_;
  service::Log log_{clock_, nullptr};
  const fuzz::TemporaryFolder folder_;
  const service::ExchangeKeys keys_{key_of("identity"), key_of("meter"), key_of("clearance")};
  const SecretKey operator_ = key_of("operator");
  const SecretKey provider_ = key_of("provider");
  const SecretKey buyer_ = key_of("buyer");
  const eip712::Domain domain_ = eip712::Domain::credits(keys_.exchange_id());
  std::unique_ptr<journal::Journal> journal_ = journal::make_memory_journal(keys_.exchange_id());
  std::unique_ptr<service::Service> service_;
  std::vector<std::shared_ptr<net::SocketHandler>> handlers_;
  std::vector<std::shared_ptr<service::Received>> sockets_;
  size_t opened_ = 0;
  std::shared_ptr<net::SocketHandler> agent_;
  std::shared_ptr<service::Received> agent_socket_;
  LeaseId lease_;
  OrderId order_;
  eip712::Terms terms_;
};

void Driven::sign(std::string& body) const {
  auto value = parse_json(body);
  if (!value || !value->is_object()) return;
  json::object& object = value->as_object();
  if (!object.contains("signature") || object.at("signature") != "good") return;
  const auto hash_of = [&](const char* name) {
    const json::value* text = object.if_contains(name);
    const auto hash = text ? canonical_json_hash(*text) : Result<Hash32>(Hash32{});
    return hash.value_or(Hash32{});
  };
  using namespace eip712;
  sign_one<Grant>(object, "grant", operator_, [](Grant&) {});
  sign_one<Ask>(object, "ask", provider_, [&](Ask& ask) {
    ask.provider = provider_.address();
    ask.attributes_hash = hash_of("attributes");
  });
  sign_one<CancelAsk>(object, "cancel", provider_,
                      [&](CancelAsk& cancel) { cancel.provider = provider_.address(); });
  sign_one<CancelBids>(object, "cancel", buyer_,
                       [&](CancelBids& cancel) { cancel.owner = buyer_.address(); });
  sign_one<Bid>(object, "bid", buyer_, [&](Bid& bid) {
    bid.buyer = buyer_.address();
    bid.meter = keys_.meter.address();
    bid.spec_hash = hash_of("spec");
  });
  sign_one<RequestClose>(object, "request", buyer_, [](RequestClose&) {});
  sign_one<PolicyChange>(object, "change", operator_,
                         [&](PolicyChange& change) { change.options_hash = hash_of("options"); });
  sign_one<Decision>(object, "decision", operator_, [&](Decision& decision) {
    decision.verdict = service_->state().read([&](const exchange::Exchange& core) {
      const exchange::Lease* lease = core.find_lease(decision.lease);
      return lease == nullptr ? Hash32{} : lease->verdict.hash;
    });
  });
  sign_one<Listing>(object, "listing", operator_, [](Listing&) {});
  sign_one<LicenceOnFile>(object, "licence", operator_, [](LicenceOnFile&) {});
  sign_one<Heartbeat>(object, "heartbeat", provider_,
                      [&](Heartbeat& beat) { beat.provider = provider_.address(); });
  if (object.contains("terms")) object["terms"] = to_json(terms_);
  sign_one<Terms>(object, "terms", provider_, [](Terms&) {});
  sign_one<Close>(object, "close", provider_, [](Close&) {});
  body = json_text(*value);
}

void step(Driven& driven, std::string_view text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string line(text.substr(0, end));
  std::string body(text.substr(std::min(end + 1, text.size())));
  driven.fill_in(line);
  driven.fill_in(body);
  driven.sign(body);
  const size_t first = std::min(line.find(' '), line.size());
  const size_t second = std::min(line.find(' ', first + 1), line.size());
  const std::string method = line.substr(0, first);
  const std::string target = first < line.size() ? line.substr(first + 1, second - first - 1) : "";
  const char who = second + 1 < line.size() ? line[second + 1] : '-';
  if (method == "AGENT") {
    driven.agent(std::move(body));
  } else if (method == "WAIT") {
    driven.pass(static_cast<uint64_t>(target.empty() ? 1 : static_cast<uint8_t>(target[0])));
  } else if (method == "OPEN") {
    driven.upgrade(target, who);
  } else {
    driven.request(method, target, std::move(body), who);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Driven driven;
  std::string_view left = fuzz::text_of(data, size);
  for (size_t count = 0; count < kMostSteps && !left.empty(); ++count) {
    const size_t end = std::min(left.find('\x1e'), left.size());
    step(driven, left.substr(0, end));
    left = left.substr(std::min(end + 1, left.size()));
  }
  ensure(!driven.failed(), "the journal goes on");
  return 0;
}
