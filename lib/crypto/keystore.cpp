#include "crypto/keystore.hpp"

#include "base/ensure.hpp"
#include "crypto/hash.hpp"
#include "crypto/private_file.hpp"
#include "crypto/random.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <openssl/evp.h>
#include <sodium.h>

#include <bit>
#include <exception>
#include <memory>

namespace mizan {
namespace {

namespace json = boost::json;

constexpr size_t kMaxText = 65'536;
constexpr uint64_t kMaxMemory = 512ull << 20;
constexpr uint64_t kMaxWork = 4ull * 262'144 * 8;  // n * r * p: four times the standard's

struct Parameters {
  ScryptCost cost;
  Bytes salt;
  Bytes iv;
  Bytes ciphertext;
  Bytes mac;
};

tl::unexpected<Error> bad(const std::string& what) {
  return fail(ErrorCode::invalid_argument, "the keystore is not valid: " + what);
}

Result<void> check_cost(const ScryptCost& cost) {
  // Each is bounded by itself first, so that the products cannot wrap.
  if (!std::has_single_bit(cost.n) || cost.n < 2 || cost.n > (1u << 22) || cost.r < 1 ||
      cost.r > 1024 || cost.p < 1 || cost.p > 1024)
    return bad("kdfparams: n is a power of two up to 2^22, r and p are from 1 to 1024");
  if (128 * cost.n * cost.r > kMaxMemory || cost.n * cost.r * cost.p > kMaxWork)
    return bad("kdfparams ask for more work than this program does for one key");
  return {};
}

/// 32 bytes that are wiped when they go.
struct DerivedKey {
  std::array<uint8_t, 32> bytes{};
  DerivedKey() = default;
  DerivedKey(const DerivedKey&) = delete;
  DerivedKey& operator=(const DerivedKey&) = delete;
  ~DerivedKey() { wipe(bytes); }
};

Result<void> derive(std::string_view passphrase, ByteView salt, const ScryptCost& cost,
                    DerivedKey& out) {
  MIZAN_CHECK(check_cost(cost));
  ensure(sodium_init() >= 0, "libsodium starts");
  // Not OpenSSL's: it refuses n >= 2^(16 r), which the standard's own vector has.
  const ByteView word = as_bytes(passphrase);
  if (crypto_pwhash_scryptsalsa208sha256_ll(
          word.data(), word.size(), salt.data(), salt.size(), cost.n, static_cast<uint32_t>(cost.r),
          static_cast<uint32_t>(cost.p), out.bytes.data(), out.bytes.size()) != 0)
    return fail(ErrorCode::unavailable, "scrypt failed: it needs " +
                                            std::to_string(128 * cost.n * cost.r >> 20) +
                                            " MiB of memory");
  return {};
}

// CTR mode: the same call encrypts and decrypts.
void aes_128_ctr(ByteView key, ByteView iv, ByteView in, std::span<uint8_t> out) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int size = 0;
  ensure(context != nullptr &&
             EVP_EncryptInit_ex(context.get(), EVP_aes_128_ctr(), nullptr, key.data(), iv.data()) ==
                 1 &&
             EVP_EncryptUpdate(context.get(), out.data(), &size, in.data(),
                               static_cast<int>(in.size())) == 1,
         "AES-128-CTR works");
}

Hash32 mac_of(const DerivedKey& derived, ByteView ciphertext) {
  Bytes input(derived.bytes.begin() + 16, derived.bytes.end());
  append(input, ciphertext);
  const Hash32 mac = keccak256(input);
  wipe(input);
  return mac;
}

std::string random_uuid() {
  Bytes bytes = random_bytes(16);
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);  // version 4
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);  // variant 1
  std::string text = hex(bytes);
  for (const size_t at : {8u, 13u, 18u, 23u}) text.insert(at, "-");
  return text;
}

const json::value* member(const json::value* object, std::string_view key) {
  if (object == nullptr || !object->is_object()) return nullptr;
  return object->get_object().if_contains({key.data(), key.size()});
}

bool says(const json::value* value, std::string_view text) {
  return value != nullptr && value->is_string() &&
         std::string_view(value->get_string().data(), value->get_string().size()) == text;
}

Result<Bytes> bytes_at(const json::value* object, std::string_view key, size_t least, size_t most) {
  const json::value* value = member(object, key);
  if (value == nullptr || !value->is_string()) return bad(std::string(key) + " is missing");
  const json::string& text = value->get_string();
  MIZAN_TRY(bytes, parse_hex({text.data(), text.size()}));
  if (bytes.size() < least || bytes.size() > most)
    return bad(std::string(key) + " has a wrong length");
  return bytes;
}

Result<uint64_t> number_at(const json::value* object, std::string_view key) {
  const json::value* value = member(object, key);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0)
    return bad("kdfparams." + std::string(key) + " is missing or no whole number");
  return static_cast<uint64_t>(value->get_int64());
}

Result<json::value> parse(std::string_view text) {
  if (text.size() > kMaxText) return bad("it is larger than 64 KiB");
  try {
    json::error_code failure;
    json::value value =
        json::parse({text.data(), text.size()}, failure, {}, json::parse_options{.max_depth = 8});
    if (failure || !value.is_object()) return bad("it is no JSON object");
    return value;
  } catch (const std::exception&) {
    return bad("it is no JSON object");
  }
}

Result<Parameters> read_parameters(const json::value& root) {
  const json::value* version = member(&root, "version");
  if (version == nullptr || !version->is_int64() || version->get_int64() != 3)
    return bad("its version is not 3");
  const json::value* crypto = member(&root, "crypto");
  if (crypto == nullptr) return bad("crypto is missing");
  if (!says(member(crypto, "cipher"), "aes-128-ctr")) return bad("its cipher is not aes-128-ctr");
  if (!says(member(crypto, "kdf"), "scrypt")) return bad("its kdf is not scrypt");
  const json::value* kdf = member(crypto, "kdfparams");
  MIZAN_TRY(dklen, number_at(kdf, "dklen"));
  if (dklen != 32) return bad("kdfparams.dklen is not 32");
  MIZAN_TRY(n, number_at(kdf, "n"));
  MIZAN_TRY(r, number_at(kdf, "r"));
  MIZAN_TRY(p, number_at(kdf, "p"));
  MIZAN_TRY(salt, bytes_at(kdf, "salt", 1, 64));
  MIZAN_TRY(iv, bytes_at(member(crypto, "cipherparams"), "iv", 16, 16));
  MIZAN_TRY(ciphertext, bytes_at(crypto, "ciphertext", 32, 32));
  MIZAN_TRY(mac, bytes_at(crypto, "mac", 32, 32));
  return Parameters{{n, r, p}, salt, iv, ciphertext, mac};
}

Result<Address> stated_address(const json::value& root) {
  const json::value* value = member(&root, "address");
  if (value == nullptr) return fail(ErrorCode::not_found, "the keystore states no address");
  if (!value->is_string()) return bad("address is no string");
  return parse_fixed<Address>({value->get_string().data(), value->get_string().size()});
}

}  // namespace

Result<std::string> keystore_encrypt(const SecretKey& key, std::string_view passphrase,
                                     const ScryptCost& cost) {
  const Bytes salt = random_bytes(32);
  const Bytes iv = random_bytes(16);
  DerivedKey derived;
  MIZAN_CHECK(derive(passphrase, salt, cost, derived));
  Bytes ciphertext(32);
  aes_128_ctr(ByteView(derived.bytes).first(16), iv, key.reveal(), ciphertext);
  const json::value file = {
      {"version", 3},
      {"id", random_uuid()},
      {"address", hex(key.address().view())},
      {"crypto",
       {{"cipher", "aes-128-ctr"},
        {"cipherparams", {{"iv", hex(iv)}}},
        {"ciphertext", hex(ciphertext)},
        {"kdf", "scrypt"},
        {"kdfparams",
         {{"dklen", 32}, {"n", cost.n}, {"r", cost.r}, {"p", cost.p}, {"salt", hex(salt)}}},
        {"mac", hex(mac_of(derived, ciphertext).view())}}}};
  return json::serialize(file);
}

Result<SecretKey> keystore_decrypt(std::string_view text, std::string_view passphrase) {
  MIZAN_TRY(root, parse(text));
  MIZAN_TRY(file, read_parameters(root));
  DerivedKey derived;
  MIZAN_CHECK(derive(passphrase, file.salt, file.cost, derived));
  if (!constant_time_equal(mac_of(derived, file.ciphertext).view(), file.mac))
    return fail(ErrorCode::unauthenticated,
                "the passphrase is wrong, or the keystore file is damaged");
  std::array<uint8_t, 32> secret{};
  aes_128_ctr(ByteView(derived.bytes).first(16), file.iv, file.ciphertext, secret);
  auto key = SecretKey::from_bytes(secret);
  wipe(secret);
  if (!key) return key;
  const auto stated = stated_address(root);
  if (stated ? *stated != key->address() : stated.error().code != ErrorCode::not_found)
    return bad("it states another address than its key's");
  return key;
}

Result<Address> keystore_address(std::string_view text) {
  MIZAN_TRY(root, parse(text));
  return stated_address(root);
}

Result<void> keystore_save(const std::string& path, const SecretKey& key,
                           std::string_view passphrase, const ScryptCost& cost) {
  MIZAN_TRY(text, keystore_encrypt(key, passphrase, cost));
  return write_private_file(path, as_bytes(text));
}

Result<SecretKey> keystore_load(const std::string& path, std::string_view passphrase) {
  MIZAN_TRY(text, read_private_file(path, kMaxText));
  return keystore_decrypt(text, passphrase);
}

}  // namespace mizan
