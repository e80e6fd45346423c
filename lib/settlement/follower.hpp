// The follower: the contract's events in the chain's order, and taken back when the chain turns.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "settlement/node.hpp"

#include <deque>

namespace mizan::settlement {

using ledger::Place;

struct SeenEvent {
  uint64_t block = 0;
  uint64_t time = 0;  ///< of the block, in seconds
  Hash32 transaction;
  EscrowEvent event;
};

/// What happened in the blocks after the place before, up to `to`.
struct Seen {
  Place to;
  std::vector<SeenEvent> events;
};
/// The chain is another one after `back_to`: whatever was Seen past it did not happen.
struct TakenBack {
  Place back_to;
};
using Change = std::variant<Seen, TakenBack>;

struct FollowerOptions {
  uint64_t depth = 2;    ///< blocks on top of an event's before it is seen
  uint64_t recent = 64;  ///< blocks from the head that are read one by one, for they may turn
  uint64_t range = 500;  ///< older blocks asked for at once, at most
  size_t most_events = 20'000;  ///< of one Seen of more than one block
  size_t most_places = 1024;    ///< that are remembered: how far the chain may turn back
};

/// Follows one contract. What it tells of has happened on the chain that the node served when it
/// was told, and is told in order, once, or taken back. Keeps nothing: its owner keeps the places
/// of what it was told. One thread at a time.
class Follower {
 public:
  /// `places`: those of earlier changes, oldest first, less those that were taken back. Without
  /// any it begins after `after`, which is the block before the contract's own.
  Follower(Node& node, const Address& contract, Place after, const FollowerOptions& options = {},
           const std::vector<Place>& places = {});

  /// What is new, as far as one round of questions goes; nothing, if nothing is. A turn comes back
  /// alone, and is of whole Seen. unavailable: the node is behind, or contradicts itself: ask
  /// again; corrupted: the chain turned further back than is remembered. A range that the node
  /// refuses, cuts off or takes too long for is halved, down to one block, and grows again.
  Result<std::vector<Change>> poll();

  /// Of the node's newest block, as of the last poll; in seconds.
  uint64_t head_time() const { return head_.time; }

  /// The openings and the buyers' stops in the blocks up to the node's newest of the last poll that
  /// are not deep enough to be Seen: they may still not have happened. Strangers make none of
  /// these. Nothing if they were asked for at that block already, or more blocks are to be read.
  Result<std::optional<std::vector<SeenEvent>>> ahead();
  uint64_t head() const { return head_.number; }  ///< of the last poll

 private:
  Result<std::optional<Change>> check_turn(const Block& head);
  Result<Seen> read_range(const Place& last, uint64_t most);
  Result<Seen> read(const Place& last, uint64_t to, bool& too_much);

  Node& node_;
  Address contract_;
  FollowerOptions options_;
  uint64_t range_;  // that the node is asked for now
  Block head_{};
  Hash32 looked_at_;          // the head whose stops were asked for
  std::deque<Place> places_;  // the oldest is the beginning, or stands in for what was forgotten
};

}  // namespace mizan::settlement
