#include "chain.hpp"

#include "settlement/escrow_errors.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace mizan::test {
namespace {

Node node_at(const std::string& url) {
  return Node(must(JsonRpc::open(url)), kChainId);
}

}  // namespace

std::string missing_tools() {
  for (const char* name : {"anvil", "cast"})
    if (!std::filesystem::exists(foundry(name)))
      return "contracts/tools/test.sh has not installed " + foundry(name);
  return "";
}

Anvil::Anvil(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {
  start();
}

void Anvil::start() {
  std::vector<std::string> command = {foundry("anvil"), "--port", std::to_string(port_)};
  command.insert(command.end(), arguments_.begin(), arguments_.end());
  process_ = std::make_unique<Process>(command);
  for (int lines = 0; lines < 200; ++lines) {
    const std::string line = process_->read_line();
    const size_t at = line.find("Listening on ");
    if (at == std::string::npos) continue;
    port_ = static_cast<uint16_t>(std::stoul(line.substr(line.rfind(':') + 1)));
    rpc_ = std::make_unique<JsonRpc>(must(JsonRpc::open(url())));
    process_->drain();
    return;
  }
  throw std::runtime_error("anvil does not listen");
}

json::value Anvil::rpc(const std::string& method, json::array params) {
  return must(rpc_->call(method, std::move(params)));
}

void Anvil::mine_at(uint64_t time) {
  rpc("evm_setNextBlockTimestamp", {time});
  rpc("evm_mine");
}

uint64_t Anvil::time() {
  const json::value block = rpc("eth_getBlockByNumber", {"latest", false});
  return std::stoull(std::string(block.at("timestamp").as_string()), nullptr, 16);
}

SecretKey key_of(uint64_t number) {
  Bytes bytes(32, 0);
  bytes[0] = 0x6d;
  for (size_t i = 0; i < 8; ++i) bytes[31 - i] = static_cast<uint8_t>(number >> (8 * i));
  return must(SecretKey::from_bytes(bytes));
}

SecretKey rich_key(unsigned index) {
  // Of the mnemonic "test test test ... junk", which every Foundry node has.
  static const char* const keys[] = {
      "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
      "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"};
  return must(SecretKey::from_bytes(must(parse_hex(keys[index]))));
}

Bytes creation_code(const std::string& name) {
  std::ifstream file(std::string(MIZAN_SOURCE_DIR) + "/contracts/artifacts/" + name + ".json");
  std::stringstream text;
  text << file.rdbuf();
  return must(parse_hex(boost::json::parse(text.str()).at("bytecode").as_string()));
}

Chain::Chain(uint8_t decimals, std::vector<std::string> arguments)
    : anvil(std::move(arguments)), node(node_at(anvil.url())) {
  for (uint64_t i = 1; i <= 20; ++i)
    anvil.rpc("anvil_setBalance", {hex0x(key_of(i).address().view()), "0x56bc75e2d63100000"});
  Bytes code = creation_code("TestToken");
  append(code, AbiTuple().word(decimals).encode());
  const auto create = [this](const Bytes& data) {
    const uint64_t nonce = must(node.latest_nonce(deployer.address()));
    const auto made =
        sign({kChainId, nonce, {100'000'000'000, 1}, 10'000'000, {{}, 0, data}}, deployer);
    must(node.send(made));
    return must(wait_for(made.hash)).created.value();
  };
  token = create(code);
  escrow = create(escrow::create(creation_code("ComputeEscrow"), token, fee_to, guardian.address(),
                                 clearance.address(), 24 * 3600));
  domain = eip712::Domain::evm(kChainId, escrow);
}

Result<Receipt> Chain::send(const SecretKey& from, const Address& to, const Bytes& data) {
  const Call call{to, 0, data};
  MIZAN_TRY(gas, node.estimate_gas(from.address(), call));
  MIZAN_TRY(nonce, node.latest_nonce(from.address()));
  const auto made = sign({kChainId, nonce, {100'000'000'000, 1}, gas * 2, call}, from);
  MIZAN_CHECK(node.send(made));
  MIZAN_TRY(receipt, wait_for(made.hash));
  if (receipt.success) return receipt;
  MIZAN_CHECK(node.replay(from.address(), call, receipt.block - 1));
  return fail(ErrorCode::conflict, "reverted");
}

// Anvil mines at once, but on a thread of its own.
Result<Receipt> Chain::wait_for(const Hash32& transaction) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < deadline) {
    MIZAN_TRY(receipt, node.receipt(transaction));
    if (receipt) return *receipt;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return fail(ErrorCode::unavailable, "not mined within ten seconds");
}

void Chain::fund(const SecretKey& owner, u128 units) {
  must(send(deployer, token, token::mint(owner.address(), units)));
  must(send(owner, token, token::approve(escrow, units)));
  must(send(owner, escrow, escrow::deposit(units)));
}

u128 Chain::units_of(const Address& owner) {
  const Bytes answer = must(node.view(escrow, escrow::balance_of(owner)));
  return AbiReader(answer).number();
}

u128 Chain::tokens_of(const Address& owner) {
  const Bytes answer = must(node.view(token, token::balance_of(owner)));
  return AbiReader(answer).number();
}

std::array<u128, 3> Chain::lease(const LeaseId& id) {
  const Bytes answer = must(node.view(escrow, escrow::lease_of(id)));
  AbiReader in(answer);
  return {in.number(), in.number(), in.number()};
}

eip712::Bid Chain::bid(uint64_t nonce, uint64_t seconds) const {
  const uint64_t now = const_cast<Chain*>(this)->anvil.time();
  return {.buyer = buyer.address(),
          .meter = meter.address(),
          .max_rate = 1000,
          .nodes = 1,
          .units_per_node = 4,
          .max_seconds = seconds,
          .earliest_start = now - 60,
          .latest_start = now + 600,
          .valid_until = now + 600,
          .all_or_none = true,
          .grace = 120,
          .max_total = u128{1000} * 4 * seconds,
          .max_fee_bps = 100,
          .nonce = nonce};
}

eip712::Terms Chain::terms(const eip712::Bid& bid) const {
  return {.buyer = bid.buyer,
          .provider = provider.address(),
          .meter = bid.meter,
          .rate = bid.max_rate,
          .units_per_node = bid.units_per_node,
          .seconds = bid.max_seconds,
          .start = bid.earliest_start + 60,
          .grace = bid.grace,
          .fee_bps = 100,
          .bid_nonce = bid.nonce,
          .node_count = bid.nodes};
}

OpenItem Chain::open_item(const eip712::Terms& terms, const eip712::Bid& bid) const {
  return {terms, bid, eip712::sign(domain, terms, provider), eip712::sign(domain, bid, buyer)};
}

Bytes Chain::open(const eip712::Terms& terms, const eip712::Bid& bid) {
  const eip712::Clearance clear{id(terms), {}, {}, anvil.time() + 60};
  OpenItem item = open_item(terms, bid);
  return escrow::open(item, clear, eip712::sign(domain, clear, clearance));
}

Signature Chain::voucher(const eip712::Terms& terms, u128 cumulative) const {
  return eip712::sign(domain, eip712::Voucher{id(terms), cumulative}, meter);
}

Bytes Chain::close(const eip712::Terms& terms, u128 cumulative) {
  const eip712::Close close{id(terms), 0};
  return escrow::close({terms,
                        cumulative,
                        voucher(terms, cumulative),
                        0,
                        eip712::sign(domain, close, provider),
                        {}});
}

}  // namespace mizan::test
