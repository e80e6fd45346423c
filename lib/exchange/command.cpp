#include "exchange/command.hpp"

#include "codec/binary.hpp"

namespace mizan::exchange {

eip712::Domain domain_of(const Genesis& genesis) {
  if (!genesis.chain) return eip712::Domain::credits(genesis.exchange_id);
  return eip712::Domain::evm(genesis.chain->chain_id, genesis.chain->contract);
}

Bytes encode(const Sequenced& sequenced) {
  return mizan::encode(sequenced);
}

Result<Sequenced> decode_sequenced(ByteView bytes) {
  return mizan::decode<Sequenced>(bytes);
}

}  // namespace mizan::exchange
