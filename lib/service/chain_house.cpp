#include "service/chain_house.hpp"

#include "crypto/address.hpp"
#include "journal/rocksdb_journal.hpp"
#include "settlement/escrow_facts.hpp"
#include "settlement/format.hpp"

namespace mizan::service {
namespace {

// One attempt: who asks asks again anyway, and an exchange that ends does not wait long.
constexpr settlement::RpcOptions kRpc{.timeout = net::Milliseconds{10'000}, .attempts = 1};

tl::unexpected<Error> wrong(const std::string& message) {
  return fail(Error{ErrorCode::conflict, "chain.contract: " + message, {}}.with("field", "chain"));
}

}  // namespace

Result<std::unique_ptr<ChainHouse>> ChainHouse::open(const ServiceConfig& config, SecretKey gas) {
  MIZAN_TRY(rpc, settlement::JsonRpc::open(config.chain->node, kRpc));
  journal::RocksdbOptions storage;
  storage.path = (config.state / "outbox").string();
  storage.format = settlement::kOutboxFormat;
  storage.memory_bytes = 1 << 20;
  MIZAN_TRY(journal, journal::open_rocksdb(storage));
  return std::unique_ptr<ChainHouse>(
      new ChainHouse(*config.chain, settlement::Node(std::move(rpc), config.chain->chain_id),
                     std::move(gas), std::move(journal)));
}

Result<exchange::ChainSettlement> ChainHouse::learn(const ExchangeKeys& keys,
                                                    const Address& fee_to) {
  MIZAN_TRY(facts, settlement::ask_escrow(node_, config_.contract));
  if (facts.clearance != keys.clearance.address())
    return wrong("it takes clearances of " + to_checksum(facts.clearance) +
                 "; this exchange's key is " + to_checksum(keys.clearance.address()) +
                 ": deploy one with --clearance " + to_checksum(keys.clearance.address()));
  if (facts.fee_to != fee_to)
    return wrong("it pays fees to " + to_checksum(facts.fee_to) +
                 ", which is not this exchange's operator: deploy one with --fee-to " +
                 to_checksum(fee_to));
  const uint64_t before = config_.from_block - std::min<uint64_t>(config_.from_block, 1);
  MIZAN_TRY(first, node_.block(before));
  if (!first)
    return fail(ErrorCode::unavailable,
                "the node has no block " + std::to_string(before) + " yet: it is behind");
  exchange::ChainSettlement out;
  out.chain_id = config_.chain_id;
  out.contract = config_.contract;
  out.token = facts.token;
  out.decimals = facts.decimals;
  out.close_delay_s = facts.close_delay_s;
  out.depth = config_.depth;
  out.first = {first->number, first->hash, first->time};
  out.least_escrow = config_.least_escrow.nano;
  return out;
}

}  // namespace mizan::service
