#include "exchange/command.hpp"

#include "codec/binary.hpp"

namespace mizan::exchange {

Bytes encode(const Sequenced& sequenced) {
  return mizan::encode(sequenced);
}

Result<Sequenced> decode_sequenced(ByteView bytes) {
  return mizan::decode<Sequenced>(bytes);
}

}  // namespace mizan::exchange
