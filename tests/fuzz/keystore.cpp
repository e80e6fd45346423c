// Keystores: refused or read; scrypt itself is paid only where the file asks for little.
#include "crypto/keystore.hpp"

#include "codec/json.hpp"
#include "fuzz/fuzz.hpp"

using namespace mizan;

namespace {

/// Whether a guess costs a few milliseconds: more would be paid for no new path.
bool cheap(std::string_view text) {
  const auto file = parse_json(text, {.allow_fractions = true});
  if (!file || !file->is_object()) return true;  // refused before scrypt
  boost::system::error_code none;
  const json::value* params = file->find_pointer("/crypto/kdfparams", none);
  if (params == nullptr || !params->is_object()) return true;
  uint64_t work = 1;
  for (const char* key : {"n", "r", "p"}) {
    const json::value* value = params->as_object().if_contains(key);
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return true;
    const auto number = static_cast<uint64_t>(value->get_int64());
    if (number > 1024) return false;
    work *= number;
  }
  return work <= 1024;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const auto stated = keystore_address(text);
  if (!cheap(text)) return 0;
  const auto key = keystore_decrypt(text, "passphrase");
  if (!key) return 0;
  if (stated) ensure(*stated == key->address(), "a keystore states its own key's address");
  const auto again = keystore_encrypt(*key, "passphrase", {2, 1, 1});
  ensure(again && keystore_decrypt(*again, "passphrase")->address() == key->address(),
         "a keystore is read as it is written");
  return 0;
}
