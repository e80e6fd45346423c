#include "crypto/hash.hpp"

#include "base/ensure.hpp"

#include <cryptopp/keccak.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

namespace mizan {

Hash32 keccak256(ByteView bytes) {
  Hash32 digest;
  CryptoPP::Keccak_256 keccak;
  keccak.Update(bytes.data(), bytes.size());
  keccak.Final(digest.bytes.data());
  return digest;
}

Hash32 sha256(ByteView bytes) {
  Hash32 digest;
  ensure(SHA256(bytes.data(), bytes.size(), digest.bytes.data()) != nullptr, "SHA-256 works");
  return digest;
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() { begin(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }
  void begin() const {
    ensure(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1,
           "SHA-256 starts");
  }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView bytes) {
  ensure(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1, "SHA-256 goes on");
}

Hash32 Sha256::finish() {
  Hash32 digest;
  ensure(EVP_DigestFinal_ex(state_->context, digest.bytes.data(), nullptr) == 1, "SHA-256 ends");
  state_->begin();
  return digest;
}

}  // namespace mizan
