#include "settlement/follower.hpp"

#include "crypto/hash.hpp"

#include <algorithm>
#include <map>

namespace mizan::settlement {
namespace {

tl::unexpected<Error> contradiction() {
  return fail(ErrorCode::unavailable,
              "the chain turned while it was read, or the node contradicts itself: it is read "
              "again");
}

}  // namespace

Follower::Follower(Node& node, const Address& contract, Place after, const FollowerOptions& options,
                   const std::vector<Place>& places)
    : node_(node),
      contract_(contract),
      options_(options),
      range_(options.range),
      places_(places.begin(), places.end()) {
  const bool whole = places_.size() < options_.most_places;
  if (whole && (places_.empty() || places_.front().number > after.number))
    places_.push_front(after);
}

Result<std::vector<Change>> Follower::poll() {
  MIZAN_TRY(head, node_.head());
  head_ = head;
  MIZAN_TRY(turn, check_turn(head));
  if (turn) return std::vector<Change>{*std::move(turn)};
  std::vector<Change> changes;
  const Place last = places_.back();
  if (head.number < options_.depth || head.number - options_.depth <= last.number) return changes;
  const uint64_t old = head.number - std::min(head.number, options_.recent);
  const uint64_t most = old > last.number ? std::min(head.number - options_.depth, old) : 0;
  MIZAN_TRY(seen, read_range(last, most));
  places_.push_back(seen.to);
  if (places_.size() > options_.most_places) places_.pop_front();
  changes.emplace_back(std::move(seen));
  return changes;
}

Result<std::optional<std::vector<SeenEvent>>> Follower::ahead() {
  using Found = std::optional<std::vector<SeenEvent>>;
  const uint64_t seen_to = places_.back().number;
  if (head_.hash == looked_at_ || head_.number > seen_to + options_.depth) return Found{};
  std::vector<SeenEvent> found;
  if (head_.number > seen_to) {
    MIZAN_TRY(logs, node_.logs(contract_, seen_to + 1, head_.number,
                               {keccak256("Opened(bytes32,uint256)"),
                                keccak256("CloseRequested(bytes32,uint256,uint256)")}));
    for (const Log& log : logs) {
      MIZAN_TRY(event, read_event(log));
      found.push_back({log.block, head_.time, log.transaction, event});
    }
  }
  looked_at_ = head_.hash;
  return Found{std::move(found)};
}

Result<std::optional<Change>> Follower::check_turn(const Block& head) {
  const Place last = places_.back();
  for (auto place = places_.rbegin(); place != places_.rend(); ++place) {
    if (place->number > head.number) continue;
    MIZAN_TRY(block, node_.block(place->number));
    if (!block) return contradiction();
    if (block->hash != place->hash) continue;
    if (*place == last) return std::optional<Change>{};
    // The node's chain is shorter than what was seen: it may be behind, or have turned. Only
    // another block in the place of one that was seen tells.
    const auto next = place.base();
    if (next->number > head.number)
      return fail(ErrorCode::unavailable, "the node is at block " + std::to_string(head.number) +
                                              ", behind block " + std::to_string(last.number) +
                                              " that was seen: it waits");
    const Place back_to = *place;
    while (places_.back() != back_to) places_.pop_back();
    return std::optional<Change>{TakenBack{back_to}};
  }
  if (places_.front().number > head.number)
    return fail(ErrorCode::unavailable, "the node is behind everything that was seen: it waits");
  return fail(Error{
      ErrorCode::corrupted,
      "the chain turned further back than is remembered, or the node serves another "
      "chain of the same id",
      {}}.with("place", "block " + std::to_string(places_.front().number)));
}

/// Up to block `most`, as far as the node goes at once; one block at least.
Result<Seen> Follower::read_range(const Place& last, uint64_t most) {
  for (;;) {
    const uint64_t to = std::max(std::min(most, last.number + range_), last.number + 1);
    bool too_much = false;
    auto seen = read(last, to, too_much);
    if (!too_much) {
      // Slowly: each step that is too large may be a time-out.
      if (seen && to == last.number + range_)
        range_ = std::min(options_.range, range_ + std::max<uint64_t>(range_ / 8, 1));
      return seen;
    }
    range_ = (to - last.number) / 2;
  }
}

/// `too_much`: fewer blocks may do. Nodes say so in words of their own, or not at all.
Result<Seen> Follower::read(const Place& last, uint64_t to, bool& too_much) {
  MIZAN_TRY(end, node_.block(to));
  if (!end) return contradiction();
  const bool single = to == last.number + 1;
  if (single && end->parent != last.hash) return contradiction();
  const auto logs =
      single ? node_.logs_in(contract_, *end) : node_.logs(contract_, last.number + 1, to);
  too_much = !single && (!logs || logs->size() > options_.most_events);
  if (too_much) return contradiction();
  if (!logs) return fail(logs.error());
  Seen seen{{to, end->hash, end->time}, {}};
  std::map<uint64_t, Block> blocks{{to, *end}};
  for (const Log& log : *logs) {
    if (!blocks.contains(log.block)) {
      MIZAN_TRY(block, node_.block(log.block));
      if (!block) return contradiction();
      blocks.emplace(log.block, *block);
    }
    const Block& block = blocks.at(log.block);
    if (block.hash != log.block_hash) return contradiction();
    MIZAN_TRY(event, read_event(log));
    seen.events.push_back({log.block, block.time, log.transaction, event});
  }
  if (single) return seen;
  // Both ends are still there: then all of it was read of one chain, which lies on what was seen.
  for (const Place& place : {last, seen.to}) {
    MIZAN_TRY(again, node_.block(place.number));
    if (!again || again->hash != place.hash) return contradiction();
  }
  return seen;
}

}  // namespace mizan::settlement
