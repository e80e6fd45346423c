// A node whose answers a test gives, over HTTP, on a chain of empty blocks.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "net/server.hpp"
#include "settlement/node.hpp"

#include <fmt/format.h>

#include <functional>
#include <mutex>
#include <optional>

namespace mizan::settlement {

inline constexpr uint64_t kFakeChain = 31'337;

/// Answers for its chain's id and blocks by itself; `answer` is asked about all else, on another
/// thread, one question at a time.
class FakeNode final : public net::Handler {
 public:
  struct Refusal {
    std::string message;
  };
  struct Silence {};  ///< an error of HTTP
  using Answer = std::variant<json::value, Refusal, Silence>;
  using Answers = std::function<Answer(std::string_view method, const json::array& params)>;

  explicit FakeNode(uint64_t head, Answers answers)
      : head_(head), answers_(std::move(answers)), server_(*net::Server::start({}, *this)) {}
  ~FakeNode() override { server_->stop(); }

  std::function<Hash32(uint64_t block)> parent_of{};  ///< another than the block before

  Node node() const {
    const std::string url = fmt::format("http://127.0.0.1:{}", server_->port());
    return Node(*JsonRpc::open(url, {.attempts = 1}), kFakeChain);
  }
  static Hash32 hash_of(uint64_t block) {
    Hash32 hash;
    hash.bytes[0] = 1;
    for (size_t i = 0; i < 8; ++i) hash.bytes[31 - i] = static_cast<uint8_t>(block >> (8 * i));
    return hash;
  }
  static uint64_t number_of(const json::value& quantity) {
    return std::stoull(std::string(quantity.get_string()), nullptr, 16);
  }

  void plan(const net::Request&, net::PlanAnswer answer) override {
    answer(net::BodyPlan{1 << 20, nullptr});
  }
  void handle(net::Request request, std::shared_ptr<net::BodySink>, net::Respond respond) override {
    const json::object asked = parse_json(request.body)->get_object();
    const std::string_view method = asked.at("method").get_string();
    const Answer answer = ask(method, asked.at("params").get_array());
    json::object out{{"jsonrpc", "2.0"}, {"id", asked.at("id")}};
    if (const auto* value = std::get_if<json::value>(&answer)) out["result"] = *value;
    if (const auto* refusal = std::get_if<Refusal>(&answer))
      out["error"] = json::object{{"code", -32'000}, {"message", refusal->message}};
    net::Response response;
    if (std::holds_alternative<Silence>(answer)) response.status = 503;
    response.body = json_text(out);
    respond(std::move(response));
  }
  void upgrade(net::Request, net::UpgradeAnswer answer) override {
    answer(fail(ErrorCode::not_found, "no"));
  }

 private:
  Answer ask(std::string_view method, const json::array& params) {
    if (method == "eth_chainId") return json::value(fmt::format("{:#x}", kFakeChain));
    if (method != "eth_getBlockByNumber") return answers_(method, params);
    const uint64_t number = params[0] == "latest" ? head_ : number_of(params[0]);
    if (number > head_) return json::value(nullptr);
    const Hash32 parent =
        parent_of ? parent_of(number) : hash_of(number == 0 ? UINT64_MAX : number - 1);
    return json::value(json::object{{"number", fmt::format("{:#x}", number)},
                                    {"hash", hex0x(hash_of(number).view())},
                                    {"parentHash", hex0x(parent.view())},
                                    {"timestamp", fmt::format("{:#x}", 1'700'000'000 + number)},
                                    {"baseFeePerGas", "0x7"}});
  }

  const uint64_t head_;
  const Answers answers_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace mizan::settlement
