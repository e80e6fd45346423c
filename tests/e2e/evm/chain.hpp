// A development chain for a test: anvil, a test token, the escrow contract, parties with money.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/money.hpp"
#include "crypto/eip712.hpp"
#include "process.hpp"
#include "settlement/escrow_calls.hpp"
#include "settlement/node.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace mizan::test {

using namespace mizan::settlement;

inline constexpr uint64_t kChainId = 31337;

/// Nothing, or why the test can't run.
std::string missing_tools();

/// Unwraps a Result, or throws with its message, which fails the test.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

/// Anvil on a port of its own, which it keeps over restarts.
class Anvil {
 public:
  explicit Anvil(std::vector<std::string> arguments = {});
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  json::value rpc(const std::string& method, json::array params = {});
  void mine(uint64_t blocks = 1) { rpc("anvil_mine", {blocks}); }
  /// Mines one block at that time, which holds whatever waits.
  void mine_at(uint64_t time);
  uint64_t time();  ///< of the latest block
  void kill() { process_->kill(); }
  /// Ends it by SIGTERM, so that it writes --dump-state, if that was asked for.
  void terminate() { process_->terminate(); }
  void start();

 private:
  std::vector<std::string> arguments_;
  uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
  std::unique_ptr<JsonRpc> rpc_;
};

SecretKey key_of(uint64_t number);
/// One of the accounts that anvil gives ether to.
SecretKey rich_key(unsigned index = 0);

/// Anvil with the contract on it. Every key of `key_of(1..20)` has ether.
class Chain {
 public:
  explicit Chain(uint8_t decimals = 9, std::vector<std::string> arguments = {});

  /// Sends one transaction and mines it; an error if it reverts, decoded.
  Result<Receipt> send(const SecretKey& from, const Address& to, const Bytes& data);
  Result<Receipt> wait_for(const Hash32& transaction);
  void fund(const SecretKey& owner, u128 units);  ///< mints, approves, deposits
  u128 units_of(const Address& owner);            ///< in the contract
  u128 tokens_of(const Address& owner);           ///< in the token
  std::array<u128, 3> lease(const LeaseId& id);   ///< opened, stop, claimed

  eip712::Bid bid(uint64_t nonce, uint64_t seconds = 600) const;
  eip712::Terms terms(const eip712::Bid& bid) const;
  LeaseId id(const eip712::Terms& terms) const { return eip712::digest(domain, terms); }
  OpenItem open_item(const eip712::Terms& terms, const eip712::Bid& bid) const;
  /// Data of `open` by the provider as sender.
  Bytes open(const eip712::Terms& terms, const eip712::Bid& bid);
  Bytes close(const eip712::Terms& terms, u128 cumulative);
  Signature voucher(const eip712::Terms& terms, u128 cumulative) const;

  Anvil anvil;
  Node node;
  SecretKey deployer = rich_key(0);
  SecretKey buyer = key_of(1);
  SecretKey provider = key_of(2);
  SecretKey meter = key_of(3);
  SecretKey clearance = key_of(4);
  SecretKey guardian = key_of(5);
  Address fee_to = key_of(6).address();
  Address token;
  Address escrow;
  eip712::Domain domain = eip712::Domain::evm(kChainId, Address{});
};

/// Creation code of contracts/artifacts/NAME.json.
Bytes creation_code(const std::string& name);

#define MIZAN_NEEDS_ANVIL() \
  if (const std::string why = mizan::test::missing_tools(); !why.empty()) GTEST_SKIP() << why

}  // namespace mizan::test
