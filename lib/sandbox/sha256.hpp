// SHA-256 of a stream, as image digests need it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/ensure.hpp"

#include <openssl/evp.h>

#include <array>
#include <memory>
#include <string>

namespace mizan::sandbox {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    ensure(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1, "OpenSSL has SHA-256");
  }
  void add(const void* data, size_t bytes) {
    ensure(EVP_DigestUpdate(context_.get(), data, bytes) == 1, "OpenSSL hashes bytes");
  }
  /// Lower-case hex; once.
  std::string finish() {
    std::array<uint8_t, 32> digest{};
    ensure(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1, "OpenSSL ends a hash");
    return hex(digest);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace mizan::sandbox
