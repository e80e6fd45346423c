// Commands in the proportions of a busy market, for the core: verified already, so unsigned.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/eip712.hpp"
#include "exchange/exchange.hpp"
#include "market_world.hpp"

#include <deque>
#include <mutex>

namespace mizan::bench {

/// Of a hundred commands. A lease's life is a bid, an acceptance, heartbeats, vouchers, a close and
/// a finalize; one bid of eight rests and is cancelled; asks come and go.
struct Mix {
  uint32_t asks = 7;
  uint32_t ask_cancels = 7;
  uint32_t simple_bids = 8;  ///< of one clause, the chip
  uint32_t query_bids = 8;   ///< of three to five clauses
  uint32_t bid_cancels = 2;
  uint32_t accepts = 14;
  uint32_t heartbeats = 18;  ///< of 5,000 providers in turn, each with its live leases
  uint32_t vouchers = 8;
  uint32_t closes = 14;
  uint32_t finalizes = 14;
  uint32_t beats = 2;  ///< of a lease before its job is over

  /// Leases of hours: nine commands of ten are heartbeats.
  static Mix of_long_leases() { return {1, 1, 1, 1, 0, 1, 92, 1, 1, 1, 40}; }
};

exchange::Genesis bench_genesis(const Address& identity, const Address& meter);

/// Makes the commands on one thread; learns of matches from another.
class Workload {
 public:
  Workload(const Hash32& exchange_id, const Address& meter, const Mix& mix, uint64_t asks,
           uint64_t now_s);

  /// Those that fill the market: grants and asks.
  std::vector<exchange::Command> opening();
  exchange::Command next();
  /// What a command came to; on the sequencer's thread.
  void learn(const exchange::Outcome& outcome, const exchange::Exchange& core);
  uint64_t refused() const { return refused_; }

 private:
  struct Live {
    LeaseId id;
    uint32_t beats = 0;
  };
  struct Provider {
    uint64_t sequence = 0;
    std::vector<Live> leases;
  };
  struct Resting {
    Address buyer;
    uint64_t nonce = 0;
  };
  struct Mail {
    std::vector<eip712::Terms> matches;
    std::vector<Resting> resting;
    std::vector<exchange::Finalize> bills;  // fixed, and signed
  };
  exchange::Command ask();
  exchange::Command bid(bool with_query);
  exchange::Command heartbeat();
  void read_mail();

  Market world_;
  const eip712::Domain domain_;
  const Address meter_;
  const uint32_t beats_;
  const uint64_t live_asks_;
  const uint64_t now_s_;
  std::vector<uint8_t> kinds_;  // a hundred, shuffled
  size_t at_ = 0;
  uint64_t made_ = 0;
  std::vector<exchange::PlaceAsk> ask_forms_;
  std::vector<std::string> simple_specs_;
  std::vector<std::string> query_specs_;
  std::vector<std::pair<OrderId, Address>> asks_;
  std::vector<Provider> providers_;
  std::vector<uint64_t> nonces_;  // of buyers
  size_t beating_ = 0;
  std::deque<eip712::Terms> to_accept_;
  std::deque<Resting> to_cancel_;
  LeaseId running_;  // the youngest
  std::deque<LeaseId> to_close_;
  std::deque<exchange::Finalize> to_finalize_;

  std::mutex mutex_;
  Mail mail_;
  uint64_t refused_ = 0;
};

}  // namespace mizan::bench
