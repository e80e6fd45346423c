#include "job/utf8.hpp"

#include <cstdint>

namespace mizan::job {
namespace {

/// No overlong form, no surrogate, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<uint8_t>(text[i]);
    size_t more = 0;
    uint8_t least = 0x80, most = 0xbf;  // of the second byte
    if (first < 0x80)
      more = 0;
    else if (first >= 0xc2 && first <= 0xdf)
      more = 1;
    else if (first >= 0xe0 && first <= 0xef)
      more = 2;
    else if (first >= 0xf0 && first <= 0xf4)
      more = 3;
    else
      return false;
    if (first == 0xe0) least = 0xa0;
    if (first == 0xed) most = 0x9f;
    if (first == 0xf0) least = 0x90;
    if (first == 0xf4) most = 0x8f;
    if (text.size() - i <= more) return false;
    for (size_t k = 1; k <= more; ++k, least = 0x80, most = 0xbf)
      if (const auto byte = static_cast<uint8_t>(text[i + k]); byte < least || byte > most)
        return false;
    i += 1 + more;
  }
  return true;
}

}  // namespace

Result<void> check_utf8(std::string_view text, const std::string& field) {
  if (is_utf8(text)) return {};
  return fail(Error{
      ErrorCode::invalid_argument,
      field + ": is not UTF-8 text; save the file as UTF-8",
      {}}.with("field", field));
}

}  // namespace mizan::job
