#include "crypto/random.hpp"

#include "base/ensure.hpp"

#include <openssl/crypto.h>

#include <cerrno>
#include <cstring>
#include <sys/random.h>

namespace mizan {

void fill_random(std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    ensure(got > 0, "the operating system gives random bytes");
    out = out.subspan(static_cast<size_t>(got));
  }
}

Bytes random_bytes(size_t count) {
  Bytes bytes(count);
  fill_random(bytes);
  return bytes;
}

uint64_t random_u64() {
  std::array<uint8_t, 8> bytes;
  fill_random(bytes);
  uint64_t value = 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  return value;
}

void wipe(std::span<uint8_t> secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
}

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

bool constant_time_equal(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace mizan
