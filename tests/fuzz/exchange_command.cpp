// Commands from journal bytes: canonical, and harmless to a live exchange whatever they say.
#include "exchange/verify.hpp"
#include "fuzz/exchange_world.hpp"
#include "fuzz/fuzz.hpp"

using namespace mizan;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Bytes kState = fuzz::state_after(120);
  const ByteView input(data, size);
  auto command = exchange::decode_sequenced(input);
  if (!command) {
    ensure(command.error().code == ErrorCode::corrupted, "bytes of no command are corrupted");
    return 0;
  }
  ensure(std::ranges::equal(exchange::encode(*command), input), "one command, one spelling");

  auto core = exchange::Exchange::restore(kState, fuzz::known_rules());
  ensure(core.has_value(), "the state is whole");
  // Nobody could sign it; what is looked at before that must hold for any text.
  (void)exchange::verify(command->command, *core);
  if (!fuzz::put_in_place(*command, *core, 86'400'000)) return 0;
  const exchange::Outcome outcome = core->apply(*command);
  ensure(outcome.answer || outcome.answer.error().code != ErrorCode::internal,
         "a refusal has its own reason");
  const Bytes after = core->encode();
  const auto again = exchange::Exchange::restore(after, fuzz::known_rules());
  ensure(again.has_value(), again ? "" : again.error().message);
  ensure(again->encode() == after, "any command leads to a state that can be kept");
  return 0;
}
