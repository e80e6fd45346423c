#include "settlement/escrow_facts.hpp"

#include "crypto/address.hpp"
#include "crypto/eip712.hpp"
#include "settlement/escrow_calls.hpp"

#include <algorithm>

namespace mizan::settlement {

Result<u128> ask_number(Node& node, const Address& contract, const Bytes& view) {
  MIZAN_TRY(answer, node.view(contract, view));
  AbiReader in(answer);
  const u128 number = in.number();
  MIZAN_CHECK(in.finish());
  return number;
}

Result<Address> ask_address(Node& node, const Address& contract, const Bytes& view) {
  MIZAN_TRY(answer, node.view(contract, view));
  AbiReader in(answer);
  const Address address = in.address();
  MIZAN_CHECK(in.finish());
  return address;
}

Result<EscrowFacts> ask_escrow(Node& node, const Address& contract) {
  MIZAN_CHECK(node.head());  // that it is the right chain
  MIZAN_TRY(is_there, node.has_code(contract));
  if (!is_there)
    return fail(ErrorCode::not_found,
                "there is no contract at " + to_checksum(contract) + " on this chain");
  const auto separator = node.view(contract, escrow::domain_separator());
  if (!separator && separator.error().code == ErrorCode::unavailable)
    return fail(separator.error());
  const Hash32 expected = eip712::Domain::evm(node.chain_id(), contract).separator();
  if (!separator || !std::ranges::equal(*separator, expected.bytes))
    return fail(ErrorCode::not_found,
                "what stands at " + to_checksum(contract) + " is no escrow of Mizan's");
  EscrowFacts facts;
  MIZAN_TRY(token_address, ask_address(node, contract, escrow::token()));
  facts.token = token_address;
  MIZAN_TRY(decimals, ask_number(node, facts.token, token::decimals()));
  if (decimals < 6 || decimals > 18)
    return fail(ErrorCode::invalid_argument, "the token has no decimals between 6 and 18");
  facts.decimals = static_cast<uint8_t>(decimals);
  MIZAN_TRY(fee_to, ask_address(node, contract, escrow::fee_to()));
  facts.fee_to = fee_to;
  MIZAN_TRY(guardian, ask_address(node, contract, escrow::guardian()));
  facts.guardian = guardian;
  MIZAN_TRY(clearance, ask_address(node, contract, escrow::clearance_key()));
  facts.clearance = clearance;
  MIZAN_TRY(next, ask_address(node, contract, escrow::next_clearance_key()));
  facts.next_clearance = next;
  MIZAN_TRY(from, ask_number(node, contract, escrow::next_clearance_key_from()));
  facts.next_clearance_from = static_cast<uint64_t>(from);
  MIZAN_TRY(delay, ask_number(node, contract, escrow::close_delay()));
  facts.close_delay_s = static_cast<uint64_t>(delay);
  MIZAN_TRY(paused, ask_number(node, contract, escrow::paused()));
  facts.paused = paused != 0;
  return facts;
}

}  // namespace mizan::settlement
