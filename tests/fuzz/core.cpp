// Rows of commands against the core, with the plain model of the money and the units beside it. An
// input is commands in journal bytes, each with its length before it (u16).
#include "codec/binary.hpp"
#include "fuzz/exchange_world.hpp"
#include "fuzz/fuzz.hpp"

using namespace mizan;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kMostCommands = 200;
  exchange::Exchange core(fuzz::known_rules());
  test::CoreModel model;
  const auto apply = [&](exchange::Sequenced& command) {
    if (!fuzz::put_in_place(command, core, 10ULL * 86'400'000)) return;
    const exchange::Outcome outcome = core.apply(command);
    if (outcome.answer && !outcome.answer->repeated) {
      if (const auto* grant = std::get_if<exchange::Grant>(&command.command))
        model.granted(grant->grant.to, grant->grant.amount);
      if (const auto* ask = std::get_if<exchange::PlaceAsk>(&command.command))
        model.listed(outcome.answer->order, ask->ask);
    }
    model.follow(core, outcome.events);
    if (!model.faults.empty()) ensure(false, model.faults.front());
  };
  exchange::Sequenced genesis{1, {1'800'000'000'000}, {}, test::CoreDriver(1).genesis()};
  apply(genesis);
  Reader in({data, size});
  for (size_t count = 0; count < kMostCommands && !in.rest().empty(); ++count) {
    const ByteView bytes = in.raw(in.get<uint16_t>());
    if (in.failed()) break;
    auto command = exchange::decode_sequenced(bytes);
    if (command) apply(*command);
  }
  model.compare(core);
  if (!model.faults.empty()) ensure(false, model.faults.front());
  const Bytes after = core.encode();
  const auto again = exchange::Exchange::restore(after, fuzz::known_rules());
  ensure(again && again->encode() == after, "the state can be kept");
  return 0;
}
