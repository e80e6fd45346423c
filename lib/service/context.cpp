#include "service/context.hpp"

#include "codec/binary.hpp"
#include "exchange/verify.hpp"

namespace mizan::service {

Error no_rules_on_a_chain() {
  return Error{
      ErrorCode::conflict,
      "an exchange that settles on a chain assesses every deal: start it with rules (only a "
      "development chain, id 31337, does without)",
      {}}
      .with("field", "rules");
}

eip712::Domain domain_for(const exchange::Exchange& exchange, const ServiceConfig& config,
                          const ExchangeKeys& keys) {
  if (exchange.config()) return exchange::domain_of(*exchange.config());
  if (config.settlement)
    return eip712::Domain::evm(config.settlement->chain_id, config.settlement->contract);
  return eip712::Domain::credits(keys.exchange_id());
}

Result<void> Context::admit(const std::string& peer, const exchange::Command& command) {
  // What is refused is in the journal too: the bytes that a stranger puts there are counted.
  MIZAN_CHECK(commands.take(peer, 1 + mizan::encode(command).size() / kCommandBytes));
  return verify(command);
}

Result<void> Context::verify(const exchange::Command& command) const {
  // Recovering a signer takes 100 us: only what needs the lease's record holds the lock so long.
  const bool needs_state = std::holds_alternative<exchange::Close>(command) ||
                           std::holds_alternative<exchange::RequestClose>(command) ||
                           std::holds_alternative<exchange::PostVoucher>(command) ||
                           std::holds_alternative<exchange::SetPolicy>(command);
  if (!needs_state) return exchange::verify(command, state.unlocked());
  return state.read(
      [&](const exchange::Exchange& core) { return exchange::verify(command, core); });
}

}  // namespace mizan::service
