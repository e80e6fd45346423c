#include "settlement/node.hpp"

#include "base/money.hpp"
#include "settlement/escrow_errors.hpp"

#include <boost/json.hpp>
#include <fmt/core.h>

#include <algorithm>

namespace mizan::settlement {
namespace {

constexpr u128 kLeastTip = 1;
constexpr uint64_t kMostGas = 30'000'000;  // no block of some chains has more
constexpr uint64_t kMostNonce = uint64_t{1} << 40;
constexpr size_t kMostTransactions = 100'000;  // of a block

std::string quantity(u128 number) {
  return fmt::format("{:#x}", number);
}

json::object call_object(const Call& call) {
  json::object out{{"data", hex0x(call.data)}, {"value", quantity(call.value)}};
  if (call.to) out["to"] = hex0x(call.to->view());
  return out;
}

/// A number as nodes spell it: hex digits without leading zeros, an odd count of them too.
std::optional<u128> read_quantity(const json::value& value) {
  if (!value.is_string()) return {};
  const std::string_view text = value.get_string();
  if (text.size() < 3 || text.size() > 34 || !text.starts_with("0x")) return {};
  const std::string even = (text.size() % 2 != 0 ? "0" : "") + std::string(text.substr(2));
  const auto bytes = parse_hex(even);
  if (!bytes) return {};
  u128 number = 0;
  for (const uint8_t byte : *bytes) number = number << 8 | byte;
  return number;
}

std::optional<uint64_t> read_quantity64(const json::value& value) {
  const auto number = read_quantity(value);
  if (!number || *number > UINT64_MAX) return {};
  return static_cast<uint64_t>(*number);
}

template <class Fixed>
std::optional<Fixed> read_fixed(const json::value& value) {
  if (!value.is_string()) return {};
  const auto parsed = parse_fixed<Fixed>(std::string_view(value.get_string()));
  return parsed ? std::optional<Fixed>(*parsed) : std::nullopt;
}

std::optional<Bytes> read_bytes(const json::value& value) {
  if (!value.is_string()) return {};
  const auto parsed = parse_hex(std::string_view(value.get_string()));
  return parsed ? std::optional<Bytes>(*parsed) : std::nullopt;
}

/// Reads members of an object, which it refers to. After a fault the values are empty.
class Members {
 public:
  explicit Members(const json::value& value) : object_(value.if_object()) {}
  bool failed() const { return failed_ || object_ == nullptr; }

  u128 number(std::string_view key) { return take<u128>(key, read_quantity); }
  uint64_t number64(std::string_view key) { return take<uint64_t>(key, read_quantity64); }
  template <class Fixed>
  Fixed fixed(std::string_view key) {
    return take<Fixed>(key, read_fixed<Fixed>);
  }
  Bytes bytes(std::string_view key) { return take<Bytes>(key, read_bytes); }
  std::vector<Hash32> hashes(std::string_view key) {
    return take<std::vector<Hash32>>(key, [](const json::value& value) {
      std::optional<std::vector<Hash32>> out;
      if (!value.is_array() || value.get_array().size() > 4) return out;
      out.emplace();
      for (const json::value& item : value.get_array()) {
        const auto hash = read_fixed<Hash32>(item);
        if (!hash) return std::optional<std::vector<Hash32>>{};
        out->push_back(*hash);
      }
      return out;
    });
  }
  bool is_null(std::string_view key) const {
    const json::value* member = object_ != nullptr ? object_->if_contains(key) : nullptr;
    return member == nullptr || member->is_null();
  }

 private:
  template <class T, class Read>
  T take(std::string_view key, Read read) {
    const json::value* member = object_ != nullptr ? object_->if_contains(key) : nullptr;
    auto value = member != nullptr ? read(*member) : std::optional<T>{};
    if (!value) failed_ = true;
    return std::move(value).value_or(T{});
  }
  const json::object* object_;
  bool failed_ = false;
};

/// What a reverted call or estimate is about; another refusal stays as it is.
Error revert_or(Error error) {
  const auto data = error.details.find("rpc_data");
  const auto message = error.details.find("rpc_message");
  const bool reverted =
      message != error.details.end() && message->second.find("revert") != std::string::npos;
  if (data != error.details.end() && (reverted || data->second.size() >= 10))
    if (const auto bytes = parse_hex(data->second)) return decode_revert(*bytes);
  if (reverted) return decode_revert(ByteView{});
  return error;
}

}  // namespace

Error Node::lie(const std::string& what) const {
  return Error{ErrorCode::unavailable, "the node " + where() + " " + what, {}};
}

Result<std::optional<Block>> Node::get_block(json::value which) {
  MIZAN_TRY(value, rpc_.call("eth_getBlockByNumber", {std::move(which), false}));
  if (value.is_null()) return std::optional<Block>{};
  Members in(value);
  const Block block{in.number64("number"), in.fixed<Hash32>("hash"), in.fixed<Hash32>("parentHash"),
                    in.number64("timestamp"), in.number("baseFeePerGas")};
  if (in.failed()) return fail(lie("tells of a block that is none, or of a chain before EIP-1559"));
  return std::optional<Block>{block};
}

Result<Block> Node::head() {
  MIZAN_TRY(id, rpc_.call("eth_chainId", {}));
  const auto served = read_quantity(id);
  if (served != u128{chain_id_})
    return fail(lie("serves chain " + mizan::to_string(served.value_or(0)) + " and not " +
                    std::to_string(chain_id_) + ": nothing is done until it does")
                    .with("chain_id", mizan::to_string(served.value_or(0))));
  MIZAN_TRY(block, get_block("latest"));
  if (!block) return fail(lie("has no latest block"));
  return *block;
}

Result<std::optional<Block>> Node::block(uint64_t number) {
  MIZAN_TRY(block, get_block(json::value(quantity(number))));
  if (block && block->number != number)
    return fail(lie("tells of block " + std::to_string(block->number) + " when asked for " +
                    std::to_string(number)));
  return block;
}

Result<uint64_t> Node::nonce(const Address& account, json::value at) {
  MIZAN_TRY(value, rpc_.call("eth_getTransactionCount", {hex0x(account.view()), std::move(at)}));
  const auto count = read_quantity64(value);
  if (!count || *count > kMostNonce) return fail(lie("tells a nonce that is none"));
  return *count;
}

Result<uint64_t> Node::latest_nonce(const Address& account) {
  return nonce(account, "latest");
}
Result<uint64_t> Node::pending_nonce(const Address& account) {
  return nonce(account, "pending");
}
Result<uint64_t> Node::nonce_at(const Address& account, uint64_t block) {
  return nonce(account, json::value(quantity(block)));
}

Result<u128> Node::balance(const Address& account) {
  MIZAN_TRY(value, rpc_.call("eth_getBalance", {hex0x(account.view()), "latest"}));
  const auto wei = read_quantity(value);
  if (!wei) return fail(lie("tells a balance that is none"));
  return *wei;
}

Result<Fees> Node::suggested_fees(const Block& head) {
  MIZAN_TRY(value, rpc_.call("eth_maxPriorityFeePerGas", {}));
  const auto suggested = read_quantity(value);
  if (!suggested) return fail(lie("suggests a tip that is none"));
  const u128 tip = std::max(*suggested, kLeastTip);
  MIZAN_TRY(twice, checked_mul(head.base_fee, u128{2}));
  MIZAN_TRY(most, checked_add(twice, tip));
  return Fees{most, tip};
}

Result<uint64_t> Node::estimate_gas(const Address& from, const Call& call) {
  json::object object = call_object(call);
  object["from"] = hex0x(from.view());
  auto value = rpc_.call("eth_estimateGas", {std::move(object), "pending"});
  if (!value) return fail(revert_or(value.error()));
  const auto gas = read_quantity64(*value);
  if (gas.value_or(0) == 0 || *gas > kMostGas)
    return fail(lie("estimates an amount of gas that is none"));
  return *gas;
}

Result<Bytes> Node::call(const Address& contract, const Bytes& data, json::value at) {
  json::object object{{"to", hex0x(contract.view())}, {"data", hex0x(data)}};
  auto value = rpc_.call("eth_call", {std::move(object), std::move(at)});
  if (!value) return fail(revert_or(value.error()));
  const auto bytes = read_bytes(*value);
  if (!bytes) return fail(lie("answers a call with something else than hex"));
  return *bytes;
}

Result<Bytes> Node::view(const Address& contract, const Bytes& data) {
  return call(contract, data, "latest");
}

Result<Bytes> Node::view_next(const Address& contract, const Bytes& data) {
  return call(contract, data, "pending");
}

Result<Bytes> Node::view_at(const Address& contract, const Bytes& data, uint64_t block) {
  return call(contract, data, json::value(quantity(block)));
}

Result<void> Node::replay(const Address& from, const Call& call, uint64_t block) {
  json::object object = call_object(call);
  object["from"] = hex0x(from.view());
  auto value = rpc_.call("eth_call", {std::move(object), json::value(quantity(block))});
  if (!value) return fail(revert_or(value.error()));
  return {};
}

Result<std::optional<Receipt>> Node::receipt(const Hash32& transaction) {
  MIZAN_TRY(value, rpc_.call("eth_getTransactionReceipt", {hex0x(transaction.view())}));
  if (value.is_null()) return std::optional<Receipt>{};
  Members in(value);
  Receipt receipt{in.number64("blockNumber"),
                  in.fixed<Hash32>("blockHash"),
                  in.number64("status") == 1,
                  in.number64("gasUsed"),
                  {}};
  const auto told = in.fixed<Hash32>("transactionHash");
  if (!in.is_null("contractAddress")) receipt.created = in.fixed<Address>("contractAddress");
  if (in.failed() || told != transaction)
    return fail(lie("tells of a receipt that is none, or of another transaction"));
  return std::optional<Receipt>{receipt};
}

Result<bool> Node::knows(const Hash32& transaction) {
  MIZAN_TRY(value, rpc_.call("eth_getTransactionByHash", {hex0x(transaction.view())}));
  if (value.is_null()) return false;
  Members in(value);
  if (in.fixed<Hash32>("hash") != transaction) return fail(lie("tells of another transaction"));
  return true;
}

Result<void> Node::send(const SignedTransaction& transaction) {
  MIZAN_TRY(value, rpc_.call("eth_sendRawTransaction", {hex0x(transaction.raw)}));
  if (read_fixed<Hash32>(value) != transaction.hash)
    return fail(lie("took a transaction under another hash"));
  return {};
}

Result<bool> Node::has_code(const Address& contract) {
  MIZAN_TRY(value, rpc_.call("eth_getCode", {hex0x(contract.view()), "latest"}));
  if (!value.is_string()) return fail(lie("answers with something else than code"));
  return value.get_string().size() > 2;
}

/// Adds those that the contract wrote to `logs`, which stay in the chain's order.
Result<void> Node::read_logs(const Address& contract, const json::array& told, bool others,
                             std::vector<Log>& logs) const {
  for (const json::value& item : told) {
    Members in(item);
    if (others && in.fixed<Address>("address") != contract && !in.failed()) continue;
    Log log{in.fixed<Address>("address"),
            in.hashes("topics"),
            in.bytes("data"),
            in.number64("blockNumber"),
            in.fixed<Hash32>("blockHash"),
            in.fixed<Hash32>("transactionHash"),
            in.number64("logIndex")};
    if (in.failed()) return fail(lie("tells of a log that is none"));
    if (log.address != contract) return fail(lie("tells of another contract's log"));
    const bool in_order = logs.empty() || std::pair(logs.back().block, logs.back().index) <
                                              std::pair(log.block, log.index);
    if (!in_order) return fail(lie("tells logs out of their order"));
    logs.push_back(std::move(log));
  }
  return {};
}

Result<std::vector<Hash32>> Node::transactions_in(const Block& block) {
  MIZAN_TRY(value, rpc_.call("eth_getBlockByHash", {hex0x(block.hash.view()), false}));
  if (value.is_null()) return fail(lie("has lost a block that it told of"));
  const json::object* object = value.if_object();
  const json::value* told = object != nullptr ? object->if_contains("transactions") : nullptr;
  if (told == nullptr || !told->is_array() || told->get_array().size() > kMostTransactions)
    return fail(lie("tells of a block whose transactions are none"));
  Members in(value);
  if (in.fixed<Hash32>("hash") != block.hash) return fail(lie("tells of another block"));
  std::vector<Hash32> hashes;
  for (const json::value& item : told->get_array()) {
    const auto hash = read_fixed<Hash32>(item);
    if (!hash) return fail(lie("tells of a block whose transactions are none"));
    hashes.push_back(*hash);
  }
  return hashes;
}

Result<std::vector<Log>> Node::logs_of_receipts(const Address& contract, const Block& block) {
  MIZAN_TRY(transactions, transactions_in(block));
  // Nodes that do not know this question, or can't answer so much at once, are asked one by one.
  const auto all = rpc_.call("eth_getBlockReceipts", {quantity(block.number)});
  const json::array* receipts = all && all->is_array() ? &all->get_array() : nullptr;
  if (receipts != nullptr && receipts->size() != transactions.size())
    return fail(lie("tells receipts of another block"));
  std::vector<Log> logs;
  for (size_t i = 0; i < transactions.size(); ++i) {
    json::value one;
    if (receipts == nullptr) {
      MIZAN_TRY(told, rpc_.call("eth_getTransactionReceipt", {hex0x(transactions[i].view())}));
      one = std::move(told);
    }
    const json::value& receipt = receipts != nullptr ? (*receipts)[i] : one;
    Members in(receipt);
    if (in.fixed<Hash32>("transactionHash") != transactions[i] ||
        in.fixed<Hash32>("blockHash") != block.hash || in.failed())
      return fail(lie("tells of a receipt that is none, or of another transaction"));
    const json::value* told = receipt.get_object().if_contains("logs");
    if (told == nullptr || !told->is_array()) return fail(lie("tells of a receipt without logs"));
    MIZAN_CHECK(read_logs(contract, told->get_array(), true, logs));
  }
  return in_block(std::move(logs), block);
}

Result<std::vector<Log>> Node::logs_in(const Address& contract, const Block& block) {
  const auto value = rpc_.call(
      "eth_getLogs",
      {json::object{{"address", hex0x(contract.view())}, {"blockHash", hex0x(block.hash.view())}}});
  if (!value) {
    // There may be too many for the node, and no smaller range: strangers can fill a block.
    auto logs = logs_of_receipts(contract, block);
    if (logs) return logs;
    Error error = value.error();
    error.message += "; nor does it give the receipts of that block: " + logs.error().message;
    return fail(std::move(error));
  }
  if (!value->is_array()) return fail(lie("answers with something else than logs"));
  std::vector<Log> logs;
  MIZAN_CHECK(read_logs(contract, value->get_array(), false, logs));
  return in_block(std::move(logs), block);
}

Result<std::vector<Log>> Node::in_block(std::vector<Log> logs, const Block& block) const {
  for (const Log& log : logs)
    if (log.block_hash != block.hash || log.block != block.number)
      return fail(lie("tells of a log of another block"));
  return logs;
}

Result<std::vector<Log>> Node::logs(const Address& contract, uint64_t from, uint64_t to,
                                    const std::vector<Hash32>& kinds) {
  json::object filter{{"address", hex0x(contract.view())},
                      {"fromBlock", quantity(from)},
                      {"toBlock", quantity(to)}};
  if (!kinds.empty()) {
    json::array any;
    for (const Hash32& kind : kinds) any.emplace_back(hex0x(kind.view()));
    filter["topics"] = json::array{std::move(any)};
  }
  MIZAN_TRY(value, rpc_.call("eth_getLogs", {std::move(filter)}));
  if (!value.is_array()) return fail(lie("answers with something else than logs"));
  std::vector<Log> logs;
  MIZAN_CHECK(read_logs(contract, value.get_array(), false, logs));
  for (const Log& log : logs)
    if (log.block < from || log.block > to) return fail(lie("tells of a log of another block"));
  return logs;
}

}  // namespace mizan::settlement
