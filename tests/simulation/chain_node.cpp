#include "simulation/chain_node.hpp"

#include "settlement/abi.hpp"

#include <boost/json.hpp>
#include <fmt/core.h>

#include <algorithm>

namespace mizan::simulation {
namespace {

constexpr uint64_t kTimeoutMs = 10'000;  // as the service has it
constexpr uint64_t kMostRange = 40;      // blocks, of a node that refuses more
constexpr u128 kTip = 1'000'000'000;
constexpr u128 kLittle = 1'000'000'000'000'000;  // wei, for less than twenty leases

std::string quantity(u128 number) {
  return fmt::format("{:#x}", number);
}

/// UINT64_MAX for what is no number.
uint64_t read_number(const json::value& value) {
  const std::string_view text = value.is_string() ? std::string_view(value.get_string()) : "";
  uint64_t number = 0;
  if (text.size() < 3 || text.size() > 18 || !text.starts_with("0x")) return UINT64_MAX;
  for (const char c : text.substr(2)) {
    if (!std::isxdigit(static_cast<unsigned char>(c))) return UINT64_MAX;
    number = number << 4 | static_cast<uint64_t>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
  }
  return number;
}

template <class Fixed>
Fixed fixed(const json::value& value) {
  return value.is_string()
             ? parse_fixed<Fixed>(std::string_view(value.get_string())).value_or(Fixed{})
             : Fixed{};
}

json::value to_json(const ChainBlock& block) {
  return json::object{{"number", quantity(block.place.number)},
                      {"hash", hex0x(block.place.hash.view())},
                      {"parentHash", hex0x(block.parent.view())},
                      {"timestamp", quantity(block.place.time)},
                      {"baseFeePerGas", quantity(block.base_fee)}};
}

json::value to_json(const settlement::Log& log) {
  json::array topics;
  for (const Hash32& topic : log.topics) topics.emplace_back(hex0x(topic.view()));
  return json::object{{"address", hex0x(log.address.view())},
                      {"topics", std::move(topics)},
                      {"data", hex0x(log.data)},
                      {"blockNumber", quantity(log.block)},
                      {"blockHash", hex0x(log.block_hash.view())},
                      {"transactionHash", hex0x(log.transaction.view())},
                      {"logIndex", quantity(log.index)}};
}

tl::unexpected<Error> no_answer(const std::string& why) {
  return fail(ErrorCode::unavailable, why);
}

}  // namespace

ChainNode::ChainNode(Surroundings& world, BlockChain& chain)
    : world_(world), chain_(chain), random_(world.random.fork("node")) {}

bool ChainNode::is_away() {
  const uint64_t now = world_.scheduler.now_ms();
  if (world_.faults.strikes(Fault::chain_away, 10))
    away_until_ms_ = now + random_.between(1'000, random_.chance(2'000) ? 240'000 : 90'000);
  if (world_.faults.strikes(Fault::chain_behind, 20)) {
    behind_until_ms_ = now + random_.between(1'000, 60'000);
    behind_ = random_.between(1, 6);
  }
  if (world_.faults.is_calm() || now >= behind_until_ms_) behind_ = 0;
  return !world_.faults.is_calm() && now < away_until_ms_;
}

Result<std::string> ChainNode::answer(const std::string& body) {
  if (dies()) return no_answer("nobody asks any more");
  if (is_away()) return no_answer("connection refused");
  bool lost = world_.faults.strikes(Fault::chain_lost, 100);
  if (world_.faults.strikes(Fault::chain_late, 500)) {
    const uint64_t ms = random_.between(20, random_.chance(1'000) ? 20'000 : 2'000);
    const bool before = random_.chance(5'000);  // the request is late, or its answer
    if (before && ms >= kTimeoutMs && random_.chance(5'000)) {
      pass(kTimeoutMs);
      return no_answer("it took too long");
    }
    if (before) pass(std::min(ms, kTimeoutMs));
    lost = lost || ms >= kTimeoutMs;
    if (dies()) return no_answer("nobody asks any more");
  }
  const json::value request = boost::json::parse(body);
  const json::object& asked = request.get_object();
  const auto answer =
      result(std::string_view(asked.at("method").get_string()), asked.at("params").get_array());
  json::object out{{"jsonrpc", "2.0"}, {"id", asked.at("id")}};
  if (answer) {
    out["result"] = *answer;
  } else {
    json::object error{{"code", -32000}, {"message", answer.error().message}};
    const auto data = answer.error().details.find("data");
    if (data != answer.error().details.end()) {
      error["code"] = 3;
      error["data"] = data->second;
    }
    out["error"] = std::move(error);
  }
  if (world_.faults.strikes(Fault::chain_late, 200)) pass(random_.between(20, 3'000));
  if (dies()) return no_answer("nobody asks any more");
  if (lost) return no_answer("connection reset");
  return boost::json::serialize(out);
}

const ChainBlock& ChainNode::head() const {
  const auto& blocks = chain_.blocks();
  return blocks[blocks.size() - 1 - std::min<size_t>(behind_, blocks.size() - 1)];
}

const ChainBlock* ChainNode::has(const ChainBlock* block) const {
  return block != nullptr && block->place.number <= head().place.number ? block : nullptr;
}

const ChainBlock* ChainNode::block(const json::value& which) const {
  if (which == "latest" || which == "pending") return &head();
  return has(chain_.at(read_number(which)));
}

Result<json::value> ChainNode::result(std::string_view method, const json::array& params) {
  if (method == "eth_chainId") return json::value(quantity(chain_.chain_id()));
  if (method == "eth_blockNumber") return json::value(quantity(head().place.number));
  if (method == "eth_getBlockByNumber") {
    // Far older than any that is kept: only that it is always the same counts.
    if (read_number(params.at(0)) == 0)
      return to_json(ChainBlock{{0, keccak256("genesis"), 1}, {}, 0, nullptr});
    const ChainBlock* found = block(params.at(0));
    return found == nullptr ? json::value() : to_json(*found);
  }
  if (method == "eth_getLogs") return logs(params.at(0).get_object());
  if (method == "eth_call") return call(params, false);
  if (method == "eth_estimateGas") return call(params, true);
  if (method == "eth_getTransactionCount") return nonce(params);
  if (method == "eth_maxPriorityFeePerGas") return json::value(quantity(kTip));
  if (method == "eth_getBalance") return json::value(quantity(balance()));
  if (method == "eth_getTransactionReceipt") return receipt(fixed<Hash32>(params.at(0)));
  if (method == "eth_getTransactionByHash") {
    const auto hash = fixed<Hash32>(params.at(0));
    return knows(hash) ? json::object{{"hash", hex0x(hash.view())}} : json::value();
  }
  if (method == "eth_sendRawTransaction") {
    MIZAN_TRY(raw, parse_hex(std::string_view(params.at(0).get_string())));
    MIZAN_CHECK(chain_.take(raw));
    return json::value(hex0x(keccak256(raw).view()));
  }
  return fail(ErrorCode::conflict, "the method " + std::string(method) + " does not exist");
}

Result<json::value> ChainNode::call(const json::array& params, bool estimates) {
  const json::object& asked = params.at(0).get_object();
  settlement::Call call{fixed<Address>(asked.at("to")), 0, {}};
  MIZAN_TRY(data, parse_hex(std::string_view(asked.at("data").get_string())));
  call.data = std::move(data);
  const json::value* sender = asked.if_contains("from");
  const auto from = sender == nullptr ? Address{} : fixed<Address>(*sender);
  const ChainBlock* on = block(params.at(1));
  if (on == nullptr) return fail(ErrorCode::conflict, "header not found");
  const bool pending = params.at(1) == "pending" && behind_ == 0;
  const auto done = pending ? chain_.try_call(from, call) : chain_.try_call(from, call, *on);
  if (done) return json::value(estimates ? quantity(150'000) : hex0x(*done));
  const settlement::Selector reason = settlement::selector(done.error().message + "()");
  return fail(Error{ErrorCode::conflict, "execution reverted", {}}.with("data", hex0x(reason)));
}

Result<json::value> ChainNode::logs(const json::object& filter) const {
  json::array out;
  const auto add = [&](const ChainBlock& block) {
    for (const settlement::Log& log : block.logs) out.push_back(to_json(log));
  };
  if (const json::value* hash = filter.if_contains("blockHash")) {
    const ChainBlock* found = has(chain_.find_block(fixed<Hash32>(*hash)));
    if (found == nullptr) return fail(ErrorCode::conflict, "unknown block");
    add(*found);
    return out;
  }
  const uint64_t from = read_number(filter.at("fromBlock"));
  const uint64_t to = read_number(filter.at("toBlock"));
  if (to - from >= kMostRange && world_.faults.strikes(Fault::chain_range, 5'000))
    return fail(ErrorCode::conflict, "query returned more than 10000 results");
  for (uint64_t number = from; number <= to; ++number) {
    const ChainBlock* found = has(chain_.at(number));
    if (found == nullptr) return fail(ErrorCode::conflict, "block range extends beyond the head");
    add(*found);
  }
  return out;
}

Result<json::value> ChainNode::nonce(const json::array& params) const {
  if (fixed<Address>(params.at(0)) != chain_.account()) return json::value("0x0");
  if (params.at(1) == "pending" && behind_ == 0)
    return json::value(quantity(chain_.pending_nonce()));
  const ChainBlock* found = block(params.at(1));
  if (found == nullptr) return fail(ErrorCode::conflict, "header not found");
  return json::value(quantity(found->next_nonce));
}

/// Of the account that pays for gas; what is spent is not reckoned with.
u128 ChainNode::balance() {
  const uint64_t now = world_.scheduler.now_ms();
  if (world_.faults.strikes(Fault::chain_gas, 300))
    poor_until_ms_ = now + random_.between(10'000, 120'000);
  return !world_.faults.is_calm() && now < poor_until_ms_ ? kLittle : u128{1} << 80;
}

json::value ChainNode::receipt(const Hash32& transaction) const {
  const auto& blocks = chain_.blocks();
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    if (has(&*block) == nullptr) continue;
    for (const Mined& mined : block->mined)
      if (mined.transaction.hash == transaction)
        return json::object{{"transactionHash", hex0x(transaction.view())},
                            {"blockNumber", quantity(block->place.number)},
                            {"blockHash", hex0x(block->place.hash.view())},
                            {"status", quantity(mined.success ? 1 : 0)},
                            {"gasUsed", quantity(100'000)},
                            {"contractAddress", nullptr}};
  }
  return {};
}

bool ChainNode::knows(const Hash32& transaction) const {
  if (!receipt(transaction).is_null()) return true;
  for (const auto& [nonce, waiting] : chain_.pool())
    if (waiting.hash == transaction) return true;
  return false;
}

}  // namespace mizan::simulation
