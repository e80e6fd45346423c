#include "credential/jose.hpp"

#include "base/ensure.hpp"
#include "crypto/hash.hpp"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>

namespace mizan::credential {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr size_t kMaxTokenBytes = size_t{64} << 10;
constexpr size_t kScalar = 32;

struct Free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(EVP_PKEY_CTX* p) const { EVP_PKEY_CTX_free(p); }
  void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
  void operator()(BIO* p) const { BIO_free(p); }
  void operator()(ECDSA_SIG* p) const { ECDSA_SIG_free(p); }
  void operator()(OSSL_PARAM_BLD* p) const { OSSL_PARAM_BLD_free(p); }
  void operator()(OSSL_PARAM* p) const { OSSL_PARAM_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Owned<EVP_PKEY> p256_key(const P256Key& key) {
  std::array<uint8_t, 65> point{};
  point[0] = 4;  // uncompressed
  std::copy(key.bytes.begin(), key.bytes.end(), point.begin() + 1);
  Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    return nullptr;
  return Owned<EVP_PKEY>(made);
}

bool verify_p256(const P256Key& key, std::string_view message, ByteView r_and_s) {
  const Owned<EVP_PKEY> pkey = p256_key(key);
  if (!pkey || r_and_s.size() != 2 * kScalar) return false;
  Owned<ECDSA_SIG> signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(r_and_s.data(), kScalar, nullptr);
  BIGNUM* s = BN_bin2bn(r_and_s.data() + kScalar, kScalar, nullptr);
  ECDSA_SIG_set0(signature.get(), r, s);  // takes both
  uint8_t* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return false;
  Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  const bool holds =
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, pkey.get()) == 1 &&
      EVP_DigestVerify(context.get(), der, static_cast<size_t>(size),
                       reinterpret_cast<const uint8_t*>(message.data()), message.size()) == 1;
  OPENSSL_free(der);
  return holds;
}

bool verify_message(const VerifyKey& key, std::string_view message, ByteView signature) {
  if (const auto* p256 = std::get_if<P256Key>(&key)) return verify_p256(*p256, message, signature);
  return verify(std::get<PublicKey>(key), sha256(message), signature);
}

template <class Key>
json::object jwk_of(const Key& key, std::string_view curve) {
  const ByteView point = key.view();
  return {{"kty", "EC"},
          {"crv", curve},
          {"x", base64url(point.first(kScalar))},
          {"y", base64url(point.subspan(kScalar))}};
}

Result<json::object> parse_part(std::string_view encoded, std::string_view what) {
  auto bytes = parse_base64url(encoded);
  if (!bytes) return malformed(std::string(what) + " is not base64url");
  auto value = parse_json(as_text(*bytes), {kMaxTokenBytes, 8, true}, what);
  if (!value) return malformed(value.error().message);
  if (!value->is_object()) return malformed(std::string(what) + " is not a JSON object");
  return std::move(value->get_object());
}

std::string signing_input(const json::object& payload, std::string_view type,
                          std::string_view alg) {
  const json::object header{{"alg", alg}, {"typ", type}};
  return base64url(as_bytes(json_text(header))) + "." + base64url(as_bytes(json_text(payload)));
}

}  // namespace

tl::unexpected<Error> malformed(std::string why) {
  return fail(ErrorCode::credential_malformed, "the credential is malformed: " + std::move(why));
}

std::string base64url(ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int held = 0;
  for (uint8_t b : bytes) {
    bits = (bits << 8 | b) & 0xffff;
    for (held += 8; held >= 6; held -= 6) text.push_back(kAlphabet[bits >> (held - 6) & 63]);
  }
  if (held > 0) text.push_back(kAlphabet[bits << (6 - held) & 63]);
  return text;
}

Result<Bytes> parse_base64url(std::string_view text) {
  Bytes bytes;
  bytes.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int held = 0;
  for (char c : text) {
    const size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return malformed("a character is not base64url");
    bits = (bits << 6 | static_cast<uint32_t>(digit)) & 0xffff;
    if ((held += 6) >= 8) {
      held -= 8;
      bytes.push_back(static_cast<uint8_t>(bits >> held));
    }
  }
  if (held == 6 || (bits & ((1U << held) - 1)) != 0)
    return malformed("its base64url has bits left over");
  return bytes;
}

std::string_view algorithm(const VerifyKey& key) {
  return std::holds_alternative<P256Key>(key) ? "ES256" : "ES256K";
}

json::object to_jwk(const VerifyKey& key) {
  if (const auto* p256 = std::get_if<P256Key>(&key)) return jwk_of(*p256, "P-256");
  return jwk_of(std::get<PublicKey>(key), "secp256k1");
}

Result<VerifyKey> parse_jwk(const json::value& jwk, std::string_view path) {
  const std::string at(path);
  const auto* object = jwk.if_object();
  if (object == nullptr) return malformed(at + " is not an object");
  if (object->contains("d")) return malformed(at + " holds a private key; give the public one");
  const auto text = [&](std::string_view name) -> std::string {
    const auto* value = object->if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
  };
  const auto x = parse_base64url(text("x"));
  const auto y = parse_base64url(text("y"));
  if (text("kty") != "EC" || !x || !y || x->size() != kScalar || y->size() != kScalar)
    return malformed(at + " is not an EC key with x and y of 32 bytes");
  const auto fill = [&](auto key) {
    std::copy(x->begin(), x->end(), key.bytes.begin());
    std::copy(y->begin(), y->end(), key.bytes.begin() + kScalar);
    return key;
  };
  if (text("crv") == "P-256") {
    const P256Key key = fill(P256Key{});
    if (!p256_key(key)) return malformed(at + " is not a point of P-256");
    return key;
  }
  if (text("crv") == "secp256k1") {
    const PublicKey key = fill(PublicKey{});
    if (!address_of(key)) return malformed(at + " is not a point of secp256k1");
    return key;
  }
  return malformed(at + ".crv is neither P-256 nor secp256k1");
}

struct IssuerKey::Impl {
  Owned<EVP_PKEY> key;
};

IssuerKey::IssuerKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
IssuerKey::IssuerKey(IssuerKey&&) noexcept = default;
IssuerKey& IssuerKey::operator=(IssuerKey&&) noexcept = default;
IssuerKey::~IssuerKey() = default;

IssuerKey IssuerKey::generate() {
  auto impl = std::make_unique<Impl>();
  impl->key.reset(EVP_EC_gen("P-256"));
  ensure(impl->key != nullptr, "OpenSSL makes a P-256 key");
  return IssuerKey(std::move(impl));
}

Result<IssuerKey> IssuerKey::from_pem(std::string_view pem) {
  Owned<BIO> source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  auto impl = std::make_unique<Impl>();
  impl->key.reset(PEM_read_bio_PrivateKey(source.get(), nullptr, nullptr, nullptr));
  std::array<char, 32> group{};
  if (!impl->key ||
      EVP_PKEY_get_group_name(impl->key.get(), group.data(), group.size(), nullptr) != 1 ||
      std::string_view(group.data()) != "prime256v1")
    return fail(ErrorCode::invalid_argument,
                "the issuer's key is not a PEM of a P-256 private key (PKCS#8)");
  return IssuerKey(std::move(impl));
}

std::string IssuerKey::to_pem() const {
  Owned<BIO> sink(BIO_new(BIO_s_mem()));
  ensure(PEM_write_bio_PKCS8PrivateKey(sink.get(), impl_->key.get(), nullptr, nullptr, 0, nullptr,
                                       nullptr) == 1,
         "OpenSSL writes a key to memory");
  char* data = nullptr;
  const long size = BIO_get_mem_data(sink.get(), &data);
  return {data, static_cast<size_t>(size)};
}

P256Key IssuerKey::public_key() const {
  std::array<uint8_t, 65> point{};
  size_t size = 0;
  ensure(EVP_PKEY_get_octet_string_param(impl_->key.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size(), &size) == 1 &&
             size == point.size() && point[0] == 4,
         "a P-256 key has an uncompressed point");
  P256Key key;
  std::copy(point.begin() + 1, point.end(), key.bytes.begin());
  return key;
}

Bytes IssuerKey::sign(std::string_view message) const {
  Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  std::array<uint8_t, 80> der{};  // a DER signature of P-256 has at most 72 bytes
  size_t size = der.size();
  ensure(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) == 1 &&
             EVP_DigestSign(context.get(), der.data(), &size,
                            reinterpret_cast<const uint8_t*>(message.data()), message.size()) == 1,
         "OpenSSL signs with a key that it made or read");
  const uint8_t* at = der.data();
  Owned<ECDSA_SIG> signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  Bytes r_and_s(2 * kScalar);
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), r_and_s.data(), kScalar);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), r_and_s.data() + kScalar, kScalar);
  return r_and_s;
}

Result<Jws> parse_jws(std::string_view compact) {
  if (compact.size() > kMaxTokenBytes) return malformed("it is over 64 KiB");
  const size_t first = compact.find('.');
  const size_t second = first == std::string_view::npos ? first : compact.find('.', first + 1);
  if (second == std::string_view::npos || compact.find('.', second + 1) != std::string_view::npos)
    return malformed("a token has three parts with a point between them");
  Jws jws;
  MIZAN_TRY(header, parse_part(compact.substr(0, first), "the header"));
  MIZAN_TRY(payload, parse_part(compact.substr(first + 1, second - first - 1), "the payload"));
  auto signature = parse_base64url(compact.substr(second + 1));
  if (!signature) return malformed("the signature is not base64url");
  jws.header = std::move(header);
  jws.payload = std::move(payload);
  jws.signing_input = std::string(compact.substr(0, second));
  jws.signature = *std::move(signature);
  return jws;
}

Result<void> verify_jws(const Jws& jws, const VerifyKey& key, std::string_view type) {
  const auto is = [&](std::string_view name, std::string_view expected) {
    const auto* value = jws.header.if_contains(name);
    return value != nullptr && value->is_string() && value->get_string() == expected;
  };
  if (!is("alg", algorithm(key)))
    return fail(ErrorCode::credential_algorithm, "the credential's algorithm is not " +
                                                     std::string(algorithm(key)) +
                                                     ", which its key signs with");
  if (jws.header.contains("crit"))
    return fail(ErrorCode::credential_algorithm,
                "the credential demands an extension (crit) that is not known here");
  if (!is("typ", type)) return malformed("its type is not " + std::string(type));
  if (!verify_message(key, jws.signing_input, jws.signature))
    return fail(ErrorCode::credential_tampered, "the credential's signature does not hold");
  return {};
}

std::string make_jws(const json::object& payload, std::string_view type, const IssuerKey& key) {
  const std::string input = signing_input(payload, type, "ES256");
  return input + "." + base64url(key.sign(input));
}

std::string make_jws(const json::object& payload, std::string_view type, const SecretKey& key) {
  const std::string input = signing_input(payload, type, "ES256K");
  return input + "." + base64url(key.sign(sha256(input)).view().first(2 * kScalar));
}

}  // namespace mizan::credential
