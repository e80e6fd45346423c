// An agent whose exchange lies: messages of any kind between those of an honest one. An input is
// steps with a byte 0x1e between them: MATCH, STOP, CUT, RESTART, RUN C (as many seconds as the
// character C has in ASCII), or a message to the agent as JSON. In a message @lease@ stands for the
// last lease and @ms@ for the time; a "signature" that is "good" is made with the right key.
#include "codec/json_fields.hpp"
#include "fuzz/fuzz.hpp"
#include "unit/provider/world.hpp"

using namespace mizan;
using provider::testing::World;

namespace {

constexpr size_t kMostSteps = 30;

void replace(std::string& text, std::string_view from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
    text.replace(at, from.size(), to);
}

void run(World& world, uint64_t ms) {
  const uint64_t until = world.time_ms + ms;
  world.run_for(ms);
  ensure(world.time_ms >= until, "an agent comes to rest, whatever it is told");
}

template <class Message>
void sign_one(const World& world, json::object& told, const char* name, const SecretKey& key) {
  const json::value* found = told.if_contains(name);
  if (found == nullptr) return;
  const auto message = from_json<Message>(*found, name);
  if (message) told["signature"] = to_json(eip712::sign(world.facts.domain(), *message, key));
}

std::string message(const World& world, std::string text, const LeaseId& lease) {
  replace(text, "@lease@", hex0x(lease.view()));
  replace(text, "@ms@", std::to_string(world.now().ms));
  replace(text, "@s@", std::to_string(world.now().seconds()));
  auto value = parse_json(text);
  if (!value || !value->is_object()) return text;
  json::object& told = value->as_object();
  if (!told.contains("signature") || told.at("signature") != "good") return text;
  sign_one<eip712::Clearance>(world, told, "clearance", world.clearance);
  sign_one<eip712::Voucher>(world, told, "voucher", world.meter);
  sign_one<eip712::Receipt>(world, told, "receipt", world.identity);
  return json_text(told);
}

void step(World& world, std::string_view text, LeaseId& lease) {
  if (text == "MATCH") {
    if (world.listed()) lease = world.match();
  } else if (text == "STOP") {
    if (world.leases.contains(lease)) world.stop(lease);
  } else if (text == "CUT") {
    world.cut();
  } else if (text == "RESTART") {
    world.restart_in(500);
  } else if (text.starts_with("RUN ") && text.size() > 4) {
    run(world, static_cast<uint8_t>(text[4]) * uint64_t{1000});
  } else if (world.agent) {
    world.agent->on_text(message(world, std::string(text), lease));
    run(world, 100);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  World world;
  world.boot();
  run(world, 2000);
  LeaseId lease;
  std::string_view left = fuzz::text_of(data, size);
  for (size_t count = 0; count < kMostSteps && !left.empty(); ++count) {
    const size_t end = std::min(left.find('\x1e'), left.size());
    step(world, left.substr(0, end), lease);
    left = left.substr(std::min(end + 1, left.size()));
  }
  run(world, 60'000);
  ensure(world.starts <= world.prepares, "no job starts that was not prepared");
  return 0;
}
