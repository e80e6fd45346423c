#include "settlement/transaction.hpp"

#include "crypto/hash.hpp"
#include "settlement/rlp.hpp"

#include <algorithm>

namespace mizan::settlement {
namespace {

constexpr uint8_t kDynamicFee = 2;  // the type of EIP-1559

Bytes typed(ByteView fields) {
  Bytes out{kDynamicFee};
  append(out, rlp_list(fields));
  return out;
}

ByteView without_zeros(ByteView word) {
  return word.subspan(static_cast<size_t>(
      std::find_if(word.begin(), word.end(), [](uint8_t byte) { return byte != 0; }) -
      word.begin()));
}

}  // namespace

SignedTransaction sign(const Transaction& transaction, const SecretKey& key) {
  Bytes fields;
  append(fields, rlp_number(transaction.chain_id));
  append(fields, rlp_number(transaction.nonce));
  append(fields, rlp_number(transaction.fees.tip));
  append(fields, rlp_number(transaction.fees.most));
  append(fields, rlp_number(transaction.gas));
  append(fields, transaction.call.to ? rlp_bytes(transaction.call.to->view()) : rlp_bytes({}));
  append(fields, rlp_number(transaction.call.value));
  append(fields, rlp_bytes(transaction.call.data));
  append(fields, rlp_list({}));  // no access list
  const Signature signature = key.sign(keccak256(typed(fields)));
  const ByteView bytes = signature.view();
  append(fields, rlp_number(signature.bytes[64] - 27U));
  append(fields, rlp_bytes(without_zeros(bytes.subspan(0, 32))));
  append(fields, rlp_bytes(without_zeros(bytes.subspan(32, 32))));
  SignedTransaction out;
  out.raw = typed(fields);
  out.hash = keccak256(out.raw);
  return out;
}

Address created_by(const Address& sender, uint64_t nonce) {
  Bytes fields = rlp_bytes(sender.view());
  append(fields, rlp_number(nonce));
  const Hash32 digest = keccak256(rlp_list(fields));
  Address address;
  std::copy(digest.bytes.begin() + 12, digest.bytes.end(), address.bytes.begin());
  return address;
}

}  // namespace mizan::settlement
