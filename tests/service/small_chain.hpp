// A chain with the plain contract for tests of the service: its blocks come when the test says so.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "crypto/hash.hpp"
#include "settlement/node.hpp"
#include "support/plain_calls.hpp"
#include "support/raw_transaction.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace mizan::service {

/// A node and its chain; answers JSON-RPC. What parties do is done in the next block, before what
/// the one account has sent.
class SmallChain {
 public:
  struct Block {
    ledger::Place place;
    test::PlainContract contract;
    std::map<Hash32, bool> mined{};  ///< transactions, and whether they reverted nothing
    std::vector<settlement::Log> logs{};
    uint64_t next_nonce = 0;
  };
  SmallChain(const exchange::ChainSettlement& settlement, const Address& fee_to,
             const Address& clearance_key)
      : settlement_(settlement),
        domain_(eip712::Domain::evm(settlement.chain_id, settlement.contract)),
        clearance_key_(clearance_key) {
    blocks_.push_back({settlement.first,
                       test::PlainContract(fee_to, settlement.close_delay_s, settlement.decimals)});
  }

  /// A block of `time`, in seconds; `empty`: without what the account has sent.
  void mine(uint64_t time, const std::vector<test::Sent>& parties = {}, bool empty = false) {
    const Block& last = blocks_.back();
    const Hash32 hash = keccak256("block " + std::to_string(++made_));
    Block next{{last.place.number + 1, hash, std::max(time, last.place.time + 1)},
               last.contract,
               {},
               {},
               last.next_nonce};
    for (const test::Sent& sent : parties) {
      const auto facts = next.contract.run(sent, next.place.time);
      ASSERT_TRUE(facts) << facts.error().message;
      std::vector<settlement::Log> logs;
      for (const exchange::ChainFact& fact : *facts) logs.push_back(test::log_of(fact));
      add(next, logs, hash);
    }
    for (auto it = pool_.find(next.next_nonce); it != pool_.end() && !empty;
         it = pool_.find(next.next_nonce)) {
      auto ran = run(next.contract, it->second.from, it->second.transaction.call, next.place.time);
      next.mined[it->second.hash] = ran.has_value();
      if (ran) add(next, ran->logs, it->second.hash);
      pool_.erase(it);
      ++next.next_nonce;
    }
    blocks_.push_back(std::move(next));
  }
  /// The last blocks are gone, with the account's transactions in them.
  void turn_back(size_t blocks) { blocks_.resize(blocks_.size() - blocks, blocks_.front()); }
  const test::PlainContract& contract() const { return blocks_.back().contract; }
  /// The account's transactions that are in blocks, and those that wait.
  uint64_t mined() const { return blocks_.back().next_nonce; }
  size_t waiting() const { return pool_.size(); }

  Result<std::string> operator()(const std::string& body) {
    const json::object asked = parse_json(body, {.max_bytes = 1 << 20})->get_object();
    json::object out{{"jsonrpc", "2.0"}, {"id", asked.at("id")}};
    const auto answer =
        ask(std::string_view(asked.at("method").get_string()), asked.at("params").get_array());
    if (answer) {
      out["result"] = *answer;
    } else {
      const auto reason = settlement::selector(answer.error().message + "()");
      out["error"] =
          json::object{{"code", 3}, {"message", "execution reverted"}, {"data", hex0x(reason)}};
    }
    return json_text(out);
  }

 private:
  static std::string quantity(uint64_t number) { return fmt::format("{:#x}", number); }
  Result<test::Ran> run(test::PlainContract& contract, const Address& from,
                        const settlement::Call& call, uint64_t time) const {
    if (call.data.empty()) return test::Ran{};  // to itself, for a nonce that nobody uses
    return test::run_call(contract, domain_, clearance_key_, from, call.data, time);
  }
  void add(Block& block, const std::vector<settlement::Log>& logs, const Hash32& transaction) {
    for (settlement::Log log : logs) {
      log.transaction = transaction;
      log.index = block.logs.size();
      block.logs.push_back(std::move(log));
    }
  }
  const Block* find(const json::value& which) const {
    const std::string text(which.get_string());
    if (text == "latest" || text == "pending") return &blocks_.back();
    const uint64_t number = std::stoull(text, nullptr, 16);
    const uint64_t first = blocks_.front().place.number;
    return number < first || number - first >= blocks_.size() ? nullptr : &blocks_[number - first];
  }
  json::value told(const Block& block) const {
    Hash32 parent;
    if (&block > &blocks_.front() && &block <= &blocks_.back()) parent = (&block - 1)->place.hash;
    return json::object{{"number", quantity(block.place.number)},
                        {"hash", hex0x(block.place.hash.view())},
                        {"parentHash", hex0x(parent.view())},
                        {"timestamp", quantity(block.place.time)},
                        {"baseFeePerGas", "0x7"}};
  }
  json::array logs_of(const Block& block) const {
    json::array out;
    for (const settlement::Log& log : block.logs) {
      json::array topics;
      for (const Hash32& topic : log.topics) topics.emplace_back(hex0x(topic.view()));
      out.push_back(json::object{{"address", hex0x(settlement_.contract.view())},
                                 {"topics", std::move(topics)},
                                 {"data", hex0x(log.data)},
                                 {"blockNumber", quantity(block.place.number)},
                                 {"blockHash", hex0x(block.place.hash.view())},
                                 {"transactionHash", hex0x(log.transaction.view())},
                                 {"logIndex", quantity(log.index)}});
    }
    return out;
  }
  Result<json::value> ask(std::string_view method, const json::array& params) {
    if (method == "eth_chainId") return json::value(quantity(settlement_.chain_id));
    if (method == "eth_maxPriorityFeePerGas") return json::value("0x1");
    if (method == "eth_getBalance") return json::value("0xffffffffffffffff");
    if (method == "eth_getBlockByNumber") {
      if (params[0] == "0x0") return told({{0, keccak256("genesis"), 1}, blocks_.front().contract});
      const Block* block = find(params[0]);
      return block == nullptr ? json::value() : told(*block);
    }
    if (method == "eth_getLogs") return logs(params[0].get_object());
    if (method == "eth_getTransactionCount") {
      const Block* block = find(params[1]);
      uint64_t nonce = block == nullptr ? 0 : block->next_nonce;
      while (params[1] == "pending" && pool_.contains(nonce)) ++nonce;
      return json::value(quantity(nonce));
    }
    if (method == "eth_call" || method == "eth_estimateGas") return call(method, params);
    if (method == "eth_sendRawTransaction") {
      test::RawTransaction made =
          test::read_raw(*parse_hex(std::string_view(params[0].get_string()))).value();
      const json::value hash(hex0x(made.hash.view()));
      pool_.insert_or_assign(made.transaction.nonce, std::move(made));
      return hash;
    }
    const Hash32 hash = *parse_fixed<Hash32>(std::string_view(params[0].get_string()));
    for (const Block& block : blocks_)
      if (const auto found = block.mined.find(hash); found != block.mined.end())
        return json::value(json::object{{"hash", params[0]},
                                        {"transactionHash", params[0]},
                                        {"blockNumber", quantity(block.place.number)},
                                        {"blockHash", hex0x(block.place.hash.view())},
                                        {"status", quantity(found->second ? 1 : 0)},
                                        {"gasUsed", "0x5208"},
                                        {"contractAddress", nullptr}});
    const bool waits =
        std::ranges::any_of(pool_, [&](const auto& one) { return one.second.hash == hash; });
    if (waits && method == "eth_getTransactionByHash")
      return json::value(json::object{{"hash", params[0]}});
    return json::value();
  }
  Result<json::value> call(std::string_view method, const json::array& params) const {
    const json::object& asked = params[0].get_object();
    const Block& on = *find(params[1]);
    test::PlainContract contract = on.contract;
    const uint64_t time = on.place.time + (params[1] == "pending" ? 1 : 0);
    if (params[1] == "pending")
      for (auto it = pool_.find(on.next_nonce); it != pool_.end(); it = pool_.find(it->first + 1))
        (void)run(contract, it->second.from, it->second.transaction.call, time);
    const auto ran = run(
        contract, {}, {{}, 0, *parse_hex(std::string_view(asked.at("data").get_string()))}, time);
    if (!ran) return fail(ran.error());
    return json::value(method == "eth_call" ? hex0x(ran->answer) : "0x10000");
  }
  Result<json::value> logs(const json::object& filter) const {
    json::array out;
    for (const Block& block : blocks_) {
      const json::value* hash = filter.if_contains("blockHash");
      const bool wanted = hash != nullptr
                              ? *hash == json::value(hex0x(block.place.hash.view()))
                              : find(filter.at("fromBlock"))->place.number <= block.place.number &&
                                    block.place.number <= find(filter.at("toBlock"))->place.number;
      if (!wanted) continue;
      for (json::value& log : logs_of(block)) out.push_back(std::move(log));
    }
    return json::value(std::move(out));
  }

  const exchange::ChainSettlement settlement_;
  const eip712::Domain domain_;
  const Address clearance_key_;
  std::vector<Block> blocks_;
  std::map<uint64_t, test::RawTransaction> pool_;
  uint64_t made_ = 0;
};

}  // namespace mizan::service
