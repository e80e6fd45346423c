// What a chain's node answers, over HTTP: nothing that it says is believed unseen. The first byte
// says what is asked, the rest is what is answered, with a byte 0x1e between two answers: the
// member "result" of each, or the whole body after a '!'.
#include "codec/json.hpp"
#include "fuzz/fuzz.hpp"
#include "net/server.hpp"
#include "settlement/follower.hpp"
#include "settlement/node.hpp"

#include <boost/json/object.hpp>

#include <deque>
#include <mutex>

using namespace mizan;
using namespace mizan::settlement;

namespace {

class Stranger final : public net::Handler {
 public:
  Stranger() {
    net::ServerOptions options;
    // All inputs come from one address, as fast as they can.
    options.max_connections_per_address = 1'000'000;
    options.requests_per_second_per_address = 1'000'000;
    auto started = net::Server::start(options, *this);
    ensure(started.has_value(), "a server can be started");
    server_ = *std::move(started);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  void say(std::string_view text) {
    const std::lock_guard lock(mutex_);
    answers_.clear();
    while (!text.empty()) {
      const size_t end = std::min(text.find('\x1e'), text.size());
      answers_.emplace_back(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  void plan(const net::Request&, net::PlanAnswer answer) override {
    answer(net::BodyPlan{1 << 20, nullptr});
  }
  void handle(net::Request request, std::shared_ptr<net::BodySink>, net::Respond respond) override {
    const std::lock_guard lock(mutex_);
    net::Response response;
    std::string answer = answers_.empty() ? "null" : answers_.front();
    if (!answers_.empty()) answers_.pop_front();
    const auto asked = parse_json(request.body);
    ensure(asked && asked->is_object(), "a question is JSON");
    if (answer.starts_with('!'))
      response.body = answer.substr(1);
    else
      response.body = R"({"jsonrpc":"2.0","id":)" + json_text(asked->get_object().at("id")) +
                      R"(,"result":)" + answer + "}";
    respond(std::move(response));
  }
  void upgrade(net::Request, net::UpgradeAnswer answer) override {
    answer(fail(ErrorCode::not_found, "no"));
  }

 private:
  std::mutex mutex_;
  std::deque<std::string> answers_;
  std::unique_ptr<net::Server> server_;
};

void ask(Node& node, uint8_t what) {
  const Address contract;
  const Address account;
  const auto check = [&](const Result<std::vector<Log>>& logs, uint64_t from, uint64_t to) {
    if (!logs) return;
    for (const Log& log : *logs) {
      ensure(log.address == contract && log.block >= from && log.block <= to,
             "logs are those that were asked for");
      (void)read_event(log);
    }
  };
  switch (what % 12) {
    case 0:
      (void)node.head();
      break;
    case 1:
      if (const auto block = node.block(7); block && *block)
        ensure((*block)->number == 7, "a block is the one that was asked for");
      break;
    case 2:
      (void)node.latest_nonce(account);
      (void)node.pending_nonce(account);
      break;
    case 3:
      (void)node.balance(account);
      break;
    case 4:
      if (const auto fees = node.suggested_fees({7, {}, {}, 9, ~u128{0} >> 1}))
        ensure(fees->most >= fees->tip, "a tip is part of the most");
      break;
    case 5:
      (void)node.estimate_gas(account, {contract, 0, {}});
      break;
    case 6:
      (void)node.view(contract, {});
      (void)node.replay(account, {contract, 0, {}}, 7);
      break;
    case 7:
      (void)node.receipt(Hash32{});
      break;
    case 8:
      (void)node.knows(Hash32{});
      (void)node.has_code(contract);
      break;
    case 9:
      check(node.logs_in(contract, {7, {}, {}, 9, 1}), 7, 7);
      break;
    case 10:
      check(node.logs(contract, 5, 9), 5, 9);
      break;
    default: {
      Follower follower(node, contract, {});
      for (int i = 0; i < 4; ++i)
        if (const auto changes = follower.poll(); !changes || changes->empty()) break;
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Stranger stranger;
  static const std::string url = stranger.url();
  if (size == 0) return 0;
  stranger.say(fuzz::text_of(data + 1, size - 1));
  auto rpc = JsonRpc::open(url, {.attempts = 1});
  ensure(rpc.has_value(), "an address is an address");
  Node node(*std::move(rpc), 31'337);
  ask(node, data[0]);
  return 0;
}
