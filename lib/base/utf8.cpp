#include "base/utf8.hpp"

#include <cstdint>

namespace mizan {
namespace {

/// The bytes of the character that `text` begins with; 0 if it begins with none.
size_t first_character(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < size) return 0;
  // The second byte's bounds keep out overlong forms, surrogates and what is above U+10FFFF.
  uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  for (size_t i = 1; i < size; ++i, least = 0x80, most = 0xbf)
    if (const auto byte = static_cast<uint8_t>(text[i]); byte < least || byte > most) return 0;
  return size;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = first_character(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string printable_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t size = first_character(text);
    if (size == 0)
      out.push_back('?');
    else
      out.append(text.substr(0, size));
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

}  // namespace mizan
