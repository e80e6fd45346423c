#include "simulation/block_chain.hpp"

#include <algorithm>

namespace mizan::simulation {

using test::PlainContract;
using test::RawTransaction;
using test::Sent;
using Kind = Sent::Kind;

namespace {

constexpr uint64_t kMostTurn = 8;
constexpr size_t kMostBlocks = 600;
constexpr uint64_t kMostPast = 300;
constexpr u128 kGwei = 1'000'000'000;
constexpr u128 kLeastBaseFee = kGwei / 10;
constexpr u128 kMostBaseFee = 100 * kGwei;  // far below what the outbox may offer

}  // namespace

BlockChain::BlockChain(Surroundings& world, const exchange::ChainSettlement& settlement,
                       const Address& operator_, const Address& clearance_key,
                       const Address& account)
    : world_(world),
      random_(world.random.fork("chain")),
      settlement_(settlement),
      domain_(eip712::Domain::evm(settlement.chain_id, settlement.contract)),
      clearance_key_(clearance_key),
      account_(account) {
  blocks_.push_back(
      {settlement.first, keccak256("before the first"), kGwei,
       std::make_shared<PlainContract>(operator_, settlement.close_delay_s, settlement.decimals)});
  block_ms_ = random_.between(1'000, 12'000);
}

void BlockChain::begin() {
  // The contract is older than the exchange.
  for (uint64_t past = random_.below(kMostPast); past > 0; --past) add_block(head().place.time + 1);
  world_.scheduler.after(block_ms_, [this] { mine(); });
}

void BlockChain::send(const Sent& sent) {
  if (world_.faults.strikes(Fault::chain_drop, 500)) return;
  waiting_.push_back(sent);
}

const ChainBlock* BlockChain::at(uint64_t number) const {
  const uint64_t first = blocks_.front().place.number;
  if (number < first || number - first >= blocks_.size()) return nullptr;
  return &blocks_[number - first];
}

const ChainBlock* BlockChain::find(const ledger::Place& place) const {
  const ChainBlock* block = at(place.number);
  return block != nullptr && block->place == place ? block : nullptr;
}

const ChainBlock* BlockChain::find_block(const Hash32& hash) const {
  for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block)
    if (block->place.hash == hash) return &*block;
  return nullptr;
}

uint64_t BlockChain::pending_nonce() const {
  uint64_t nonce = head().next_nonce;
  while (pool_.contains(nonce)) ++nonce;
  return nonce;
}

Result<void> BlockChain::take(ByteView raw) {
  auto read = test::read_raw(raw);
  world_.expect(read.has_value() && read->from == account_,
                "a transaction that nobody signed, or somebody else");
  if (!read) return fail(ErrorCode::conflict, "rlp: " + read.error().message);
  const settlement::Transaction& made = read->transaction;
  world_.expect(made.chain_id == settlement_.chain_id, "a transaction for another chain");
  if (made.nonce < head().next_nonce) return fail(ErrorCode::conflict, "nonce too low");
  const auto [first, last] = pool_.equal_range(made.nonce);
  for (auto it = first; it != last; ++it)
    if (it->second.hash == read->hash) return fail(ErrorCode::conflict, "already known");
  const bool keeps_all = world_.faults.strikes(Fault::chain_fees, 3'000);
  for (auto it = first; it != last && !keeps_all; ++it) {
    const settlement::Fees& before = it->second.transaction.fees;
    if (made.fees.most < before.most + before.most / 10 ||
        made.fees.tip < before.tip + before.tip / 10)
      return fail(ErrorCode::conflict, "replacement transaction underpriced");
  }
  if (!keeps_all) pool_.erase(made.nonce);
  // The node says yes, and loses it.
  if (world_.faults.strikes(Fault::chain_drop, 500)) return {};
  pool_.emplace(made.nonce, *std::move(read));
  return {};
}

Result<test::Ran> BlockChain::run(PlainContract& contract, const Address& from,
                                  const settlement::Call& call, uint64_t time) const {
  if (call.to == from && call.data.empty()) return test::Ran{};
  if (call.to != settlement_.contract) return fail(ErrorCode::conflict, "no contract is there");
  auto ran = test::run_call(contract, domain_, clearance_key_, from, call.data, time);
  if (ran || ran.error().message != "BelowMinPaid") return ran;
  MIZAN_TRY(sent, test::read_call(domain_, clearance_key_, from, call.data));
  const PlainContract::Lease* lease = contract.find(sent.lease);
  if (contract.payable(*lease, time, sent.amount) == contract.units(sent.amount))
    world_.expect(false, "an agent's Close wants more than its voucher pays");
  return ran;
}

Result<Bytes> BlockChain::try_call(const Address& from, const settlement::Call& call) const {
  PlainContract contract = *head().contract;
  const uint64_t time = std::max(head().place.time + 1, now_s());
  for (uint64_t nonce = head().next_nonce; pool_.contains(nonce); ++nonce)
    (void)run(contract, account_, pool_.find(nonce)->second.transaction.call, time);
  MIZAN_TRY(ran, run(contract, from, call, time));
  return ran.answer;
}

Result<Bytes> BlockChain::try_call(const Address& from, const settlement::Call& call,
                                   const ChainBlock& block) const {
  PlainContract contract = *block.contract;
  MIZAN_TRY(ran, run(contract, from, call, block.place.time));
  return ran.answer;
}

void BlockChain::mine() {
  if (blocks_.size() > 1 && world_.faults.strikes(Fault::chain_turn, 400)) {
    turn();
    // At times the other branch is longer at once, at times the node is short of it for a while.
    if (random_.chance(5'000))
      for (uint64_t more = random_.between(1, kMostTurn); more > 0; --more) add_block(now_s());
  }
  add_block(now_s());
  const bool slow = world_.faults.strikes(Fault::chain_slow, 100);
  world_.scheduler.after(slow ? random_.between(20'000, 200'000) : block_ms_, [this] { mine(); });
}

/// The last blocks go; most of what was in them waits again, some of it is forgotten.
void BlockChain::turn() {
  for (uint64_t count = random_.between(1, kMostTurn); count > 0 && blocks_.size() > 1; --count) {
    for (const Sent& sent : blocks_.back().sent)
      if (sent.kind == Kind::deposit || random_.chance(8'000)) waiting_.push_back(sent);
    for (Mined& mined : blocks_.back().mined)
      if (random_.chance(8'000))
        pool_.emplace(mined.transaction.transaction.nonce, std::move(mined.transaction));
    blocks_.pop_back();
  }
}

u128 BlockChain::next_base_fee() {
  const u128 last = head().base_fee;
  if (rises_ == 0 && world_.faults.strikes(Fault::chain_fees, 100)) rises_ = random_.between(5, 25);
  const bool up = rises_ > 0 || (last < kGwei ? random_.chance(7'000) : random_.chance(3'000));
  if (rises_ > 0) --rises_;
  return up ? std::min(last + last / 8, kMostBaseFee) : std::max(last - last / 8, kLeastBaseFee);
}

uint64_t BlockChain::now_s() const {
  return (kEpochMs + world_.scheduler.now_ms()) / 1000;
}

void BlockChain::add_block(uint64_t now) {
  const ChainBlock& last = head();
  uint64_t time = std::max(last.place.time + 1, now);
  if (world_.faults.strikes(Fault::chain_clock, 300))
    time = std::max(last.place.time + 1, now + random_.below(40) - 20);
  const Hash32 hash = keccak256("block " + std::to_string(++made_));
  ChainBlock block{{last.place.number + 1, hash, time},
                   last.place.hash,
                   next_base_fee(),
                   last.contract,
                   last.next_nonce};
  if (!waiting_.empty() || !pool_.empty()) {
    auto contract = std::make_shared<PlainContract>(*last.contract);
    const bool parties_first = random_.chance(5'000);
    if (parties_first) run_parties(block, *contract);
    run_pool(block, *contract);
    if (!parties_first) run_parties(block, *contract);
    if (!block.logs.empty()) block.contract = std::move(contract);
  }
  blocks_.push_back(std::move(block));
  if (blocks_.size() > kMostBlocks) blocks_.pop_front();
}

void BlockChain::run_parties(ChainBlock& block, PlainContract& contract) {
  std::vector<Sent> left;
  for (const Sent& sent : waiting_) {
    if (!world_.faults.is_calm() && random_.chance(1'000)) {
      left.push_back(sent);
      continue;
    }
    const auto facts = contract.run(sent, block.place.time);
    if (!facts) continue;
    std::vector<settlement::Log> logs;
    for (const exchange::ChainFact& fact : *facts) logs.push_back(test::log_of(fact));
    add_logs(block, std::move(logs), keccak256("sent " + std::to_string(++made_)));
    block.sent.push_back(sent);
  }
  waiting_ = std::move(left);
}

void BlockChain::run_pool(ChainBlock& block, PlainContract& contract) {
  for (;; ++block.next_nonce) {
    if (!world_.faults.is_calm() && random_.chance(1'000)) break;
    const auto [first, last] = pool_.equal_range(block.next_nonce);
    std::vector<const RawTransaction*> good;
    for (auto it = first; it != last; ++it)
      if (it->second.transaction.fees.most >= block.base_fee) good.push_back(&it->second);
    if (good.empty()) break;
    Mined mined{*good[random_.below(good.size())]};
    pool_.erase(block.next_nonce);
    auto ran = run(contract, account_, mined.transaction.transaction.call, block.place.time);
    mined.success = ran.has_value();
    if (ran) add_logs(block, std::move(ran->logs), mined.transaction.hash);
    block.mined.push_back(std::move(mined));
  }
  // What can't be mined any more, or is forgotten.
  std::erase_if(pool_, [&](const auto& item) {
    return item.first < block.next_nonce || world_.faults.strikes(Fault::chain_drop, 50);
  });
}

void BlockChain::add_logs(ChainBlock& block, std::vector<settlement::Log> logs,
                          const Hash32& transaction) {
  for (settlement::Log& log : logs) {
    log.address = settlement_.contract;
    log.block = block.place.number;
    log.block_hash = block.place.hash;
    log.transaction = transaction;
    log.index = block.logs.size();
    block.logs.push_back(std::move(log));
  }
}

}  // namespace mizan::simulation
