#include "crypto/address.hpp"

#include "crypto/hash.hpp"

#include <algorithm>

namespace mizan {

std::string to_checksum(const Address& address) {
  std::string text = hex(address.view());
  const Hash32 digest = keccak256(text);
  for (size_t i = 0; i < text.size(); ++i) {
    const int nibble = i % 2 == 0 ? digest.bytes[i / 2] >> 4 : digest.bytes[i / 2] & 15;
    if (nibble >= 8 && text[i] >= 'a') text[i] = static_cast<char>(text[i] - 'a' + 'A');
  }
  return "0x" + text;
}

Result<Address> parse_address(std::string_view text) {
  if (!text.starts_with("0x") || text.size() != 42)
    return fail(ErrorCode::invalid_argument, "an address is 0x and 40 hex digits");
  MIZAN_TRY(address, parse_fixed<Address>(text));
  const bool lower =
      std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'F'; });
  if (!lower && to_checksum(address) != text)
    return fail(ErrorCode::invalid_argument,
                "the address's checksum (the case of its letters) is wrong: check for a typing "
                "error");
  return address;
}

}  // namespace mizan
