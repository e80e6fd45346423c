// JSON text: what is taken can be written and read again; canonical text has one spelling.
#include "codec/json.hpp"

#include "codec/base64.hpp"
#include "fuzz/fuzz.hpp"

using namespace mizan;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto plain = parse_base64(text))
    ensure(base64(as_bytes(*plain)) == text, "base64 has one spelling");
  if (const auto bytes = parse_hex(text))
    ensure(parse_hex(hex0x(*bytes)) == *bytes, "hex is read as it is written");

  if (const auto value = parse_json(text, {.max_bytes = 1 << 16, .allow_fractions = true}))
    ensure(parse_json(json_text(*value), {.allow_fractions = true}).has_value(),
           "a JSON text with fractions is read again");
  const auto value = parse_json(text, {.max_bytes = 1 << 16});
  if (!value) return 0;
  const auto again = parse_json(json_text(*value));
  ensure(again && *again == *value, "a JSON value is read as it is written");
  const auto canonical = canonical_json(*value);
  ensure(canonical.has_value(), "a value without fractions has a canonical text");
  const auto third = parse_json(*canonical);
  ensure(third && *third == *value, "canonical text says the same");
  ensure(canonical_json(*third) == *canonical, "canonical text is canonical");
  return 0;
}
