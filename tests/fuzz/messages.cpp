// EIP-712 messages as JSON and as canonical bytes: both are read as they are written. The first
// byte says which message the rest is, as JSON where its top bit is set.
#include "codec/binary.hpp"
#include "codec/json_fields.hpp"
#include "crypto/eip712.hpp"
#include "fuzz/fuzz.hpp"

using namespace mizan;

namespace {

template <class Message>
void both_ways(const Message& message) {
  const auto from_text = from_json<Message>(to_json(message), "message");
  ensure(from_text && *from_text == message, "a message is read from JSON as it is written");
  const auto from_bytes = decode<Message>(encode(message));
  ensure(from_bytes && *from_bytes == message, "a message is read from bytes as it is written");
  ensure(eip712::hash_struct(*from_bytes) == eip712::hash_struct(message), "one message, one hash");
}

template <class Message>
void one(bool as_text, ByteView input) {
  if (as_text) {
    const auto value = parse_json(mizan::as_text(input));
    if (!value) return;
    const auto message = from_json<Message>(*value, "message");
    if (message) both_ways(*message);
    return;
  }
  const auto message = decode<Message>(input);
  if (!message) return;
  ensure(std::ranges::equal(encode(*message), input), "canonical bytes are canonical");
  // Strings that are not UTF-8 have no JSON; nothing decodes such messages from outside.
  if (parse_json(json_text(to_json(*message)))) both_ways(*message);
}

template <class... Messages>
void pick(size_t which, bool as_text, ByteView input, const std::tuple<Messages...>*) {
  size_t i = 0;
  ((i++ == which % sizeof...(Messages) ? one<Messages>(as_text, input) : void()), ...);
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  using All = eip712::AllMessages;
  pick(data[0] & 0x7f, (data[0] & 0x80) != 0, {data + 1, size - 1}, static_cast<All*>(nullptr));
  return 0;
}
