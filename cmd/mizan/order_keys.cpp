#include "mizan/order_keys.hpp"

#include "base/ensure.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"

namespace mizan::cli {
namespace {

template <class Key>
Key order_key(std::string_view use, const SecretKey& account, const Hash32& exchange,
              uint64_t bid_nonce) {
  Bytes preimage;
  for (const ByteView part : {as_bytes(use), account.reveal(), exchange.view()})
    preimage.insert(preimage.end(), part.begin(), part.end());
  for (int shift = 56; shift >= 0; shift -= 8)
    preimage.push_back(static_cast<uint8_t>(bid_nonce >> shift));
  Hash32 secret = keccak256(preimage);
  wipe(preimage);
  auto key = Key::from_bytes(secret.view());
  wipe(secret.bytes);
  ensure(key.has_value(), "a hash is a key: for X25519 any, for secp256k1 all but one in 2^127");
  return *std::move(key);
}

}  // namespace

BoxKey output_key_of(const SecretKey& account, const Hash32& exchange, uint64_t bid_nonce) {
  return order_key<BoxKey>("mizan-output-key", account, exchange, bid_nonce);
}

SecretKey meter_key_of(const SecretKey& account, const Hash32& exchange, uint64_t bid_nonce) {
  return order_key<SecretKey>("mizan-meter-key", account, exchange, bid_nonce);
}

}  // namespace mizan::cli
