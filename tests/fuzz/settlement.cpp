// What a chain's node says, and the outbox's records. The first byte says which the rest is.
#include "codec/binary.hpp"
#include "fuzz/fuzz.hpp"
#include "settlement/abi.hpp"
#include "settlement/escrow_errors.hpp"
#include "settlement/escrow_events.hpp"
#include "settlement/outbox_records.hpp"

using namespace mizan;
using namespace mizan::settlement;

namespace {

void event(ByteView input) {
  Log log;
  Reader in(input);
  const size_t topics = in.get<uint8_t>() % 5;
  for (size_t i = 0; i < topics; ++i) log.topics.push_back(in.get<Hash32>());
  if (in.failed()) return;
  log.data.assign(in.rest().begin(), in.rest().end());
  (void)read_event(log);
}

void words(ByteView input) {
  AbiReader in(input);
  const Address address = in.address();
  const u128 number = in.number();
  const Hash32 hash = in.hash();
  const bool flag = in.flag();
  if (!in.finish()) return;
  const Bytes again =
      AbiTuple().word(address).word(number).word(hash).word(u128{flag ? 1U : 0U}).encode();
  ensure(std::ranges::equal(again, input), "words are read as they are written");
}

void records(ByteView input) {
  Outbox::State state;
  Reader in(input);
  while (!in.rest().empty() && !in.failed()) {
    const ByteView bytes = in.raw(in.get<uint16_t>());
    const auto one = decode<record::Record>(bytes);
    if (!one) return;
    ensure(std::ranges::equal(encode(*one), bytes), "one record, one spelling");
    if (!record::apply(state, *one)) return;
    const auto kept = decode<Outbox::State>(encode(state));
    ensure(kept && encode(*kept) == encode(state), "the outbox's state can be kept");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      event(input);
      break;
    case 1:
      words(input);
      ensure(!decode_revert(input).message.empty(), "a revert says something");
      break;
    case 2:
      records(input);
      break;
    default:
      ensure(printable_text(as_text(input)).size() <= 300, "a stranger's text is bounded");
      if (const auto state = decode<Outbox::State>(input))
        ensure(std::ranges::equal(encode(*state), input), "one state, one spelling");
  }
  return 0;
}
