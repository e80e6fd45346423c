#include "settlement/escrow_events.hpp"

#include "crypto/hash.hpp"

#include <map>

namespace mizan::settlement {
namespace {

// Topics and data are one row of words, so that a reader takes both.
using Read = EscrowEvent (*)(AbiReader&);
struct Kind {
  size_t topics;
  Read read;
};

const std::map<Hash32, Kind>& kinds() {
  static const std::map<Hash32, Kind> known = {
      {keccak256("Deposited(address,uint256)"),
       {2,
        [](AbiReader& in) -> EscrowEvent {
          return Deposited{in.address(), in.number()};
        }}},
      {keccak256("Withdrawn(address,address,uint256)"),
       {3,
        [](AbiReader& in) -> EscrowEvent {
          return Withdrawn{in.address(), in.address(), in.number()};
        }}},
      {keccak256("RelayPaid(address,address,uint256)"),
       {3,
        [](AbiReader& in) -> EscrowEvent {
          return RelayPaid{in.address(), in.address(), in.number()};
        }}},
      {keccak256("Opened(bytes32,uint256)"),
       {2,
        [](AbiReader& in) -> EscrowEvent {
          return Opened{in.hash(), in.number()};
        }}},
      {keccak256("Claimed(bytes32,uint256,uint256)"),
       {2,
        [](AbiReader& in) -> EscrowEvent {
          return Claimed{in.hash(), in.number(), in.number()};
        }}},
      {keccak256("CloseRequested(bytes32,uint256,uint256)"),
       {2,
        [](AbiReader& in) -> EscrowEvent {
          return CloseRequested{in.hash(), in.number64(), in.number()};
        }}},
      {keccak256("Closed(bytes32,uint256,uint256,uint256)"),
       {2,
        [](AbiReader& in) -> EscrowEvent {
          return Closed{in.hash(), in.number(), in.number(), in.number()};
        }}},
      {keccak256("Skipped(bytes32,bytes4)"),
       {2,
        [](AbiReader& in) -> EscrowEvent {
          return Skipped{in.hash(), in.selector()};
        }}},
      {keccak256("BidsCancelled(address,uint64,uint256)"),
       {2,
        [](AbiReader& in) -> EscrowEvent {
          return BidsCancelled{in.address(), in.number64(), in.number256()};
        }}},
      {keccak256("Paused(bool)"),
       {1, [](AbiReader& in) -> EscrowEvent { return Paused{in.flag()}; }}},
      {keccak256("ClearanceKeyRevoked(address)"),
       {2,
        [](AbiReader& in) -> EscrowEvent {
          in.address();
          return ClearanceKeyIs{};
        }}},
      {keccak256("ClearanceKeyChanged(address)"),
       {2, [](AbiReader& in) -> EscrowEvent { return ClearanceKeyIs{in.address()}; }}},
      {keccak256("ClearanceKeyProposed(address,uint256)"),
       {2,
        [](AbiReader& in) -> EscrowEvent {
          return ClearanceKeyProposed{in.address(), in.number64()};
        }}},
  };
  return known;
}

}  // namespace

Result<EscrowEvent> read_event(const Log& log) {
  const auto bad = [&log] {
    return fail(ErrorCode::unavailable,
                "the node tells of an event that the escrow contract does not have (block " +
                    std::to_string(log.block) + ")");
  };
  const auto kind = log.topics.empty() ? kinds().end() : kinds().find(log.topics[0]);
  if (kind == kinds().end() || log.topics.size() != kind->second.topics) return bad();
  Bytes words;
  for (size_t i = 1; i < log.topics.size(); ++i) append(words, log.topics[i].view());
  append(words, log.data);
  AbiReader in(words);
  EscrowEvent event = kind->second.read(in);
  if (!in.finish()) return bad();
  return event;
}

}  // namespace mizan::settlement
