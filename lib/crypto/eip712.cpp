#include "crypto/eip712.hpp"

#include "crypto/eip712_encoder.hpp"

#include <algorithm>

namespace mizan::eip712 {
namespace {

constexpr std::string_view kCreditsType = "EIP712Domain(string name,string version,bytes32 salt)";
constexpr std::string_view kEvmType =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

Encoder named(std::string_view type) {
  Encoder encoder(keccak256(type));
  encoder.value(std::string("Mizan"));
  encoder.value(std::string("1"));
  return encoder;
}

}  // namespace

void Encoder::word(ByteView bytes) {
  append(words_, bytes);
}

void Encoder::number(u128 low, uint8_t high_byte) {
  std::array<uint8_t, 32> bytes;
  for (size_t i = 32; i-- > 16; low >>= 8) bytes[i] = static_cast<uint8_t>(low);
  std::fill_n(bytes.begin(), 16, high_byte);
  word(bytes);
}

Domain Domain::credits(const Hash32& exchange_id) {
  Domain domain;
  domain.salt_ = exchange_id;
  Encoder encoder = named(kCreditsType);
  encoder.value(exchange_id);
  domain.separator_ = encoder.finish();
  return domain;
}

Domain Domain::evm(uint64_t chain_id, const Address& contract) {
  Domain domain;
  domain.chain_id_ = chain_id;
  domain.contract_ = contract;
  Encoder encoder = named(kEvmType);
  encoder.value(chain_id);
  encoder.value(contract);
  domain.separator_ = encoder.finish();
  return domain;
}

Hash32 typed_digest(const Hash32& separator, const Hash32& struct_hash) {
  std::array<uint8_t, 66> bytes{0x19, 0x01};
  std::copy(separator.bytes.begin(), separator.bytes.end(), bytes.begin() + 2);
  std::copy(struct_hash.bytes.begin(), struct_hash.bytes.end(), bytes.begin() + 34);
  return keccak256(bytes);
}

}  // namespace mizan::eip712
