// What an exchange tells an agent: refused, or a value; and the files that an agent reads. The
// first byte says which the rest is.
#include "codec/json_fields.hpp"
#include "fuzz/fuzz.hpp"
#include "provider/config.hpp"
#include "provider/exchange_facts.hpp"
#include "provider/record.hpp"
#include "provider/wire.hpp"

using namespace mizan;
using namespace mizan::provider;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text = fuzz::text_of(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0: {
      const auto message = parse_incoming(text);
      if (!message) break;
      if (const auto* match = std::get_if<Match>(&*message))
        if (job::check(match->spec.job)) job::command_line(match->spec.job);
      if (const auto* stop = std::get_if<Stop>(&*message))
        ensure(!stop->reason.empty() && stop->reason.size() <= 64, "a reason is bounded");
      break;
    }
    case 1: {
      const auto record = decode_record(text);
      if (!record) break;
      const std::string line = encode(*record);
      const auto again = decode_record(line);
      ensure(again && encode(*again) == line, "a lease's record is read as it is written");
      break;
    }
    case 2:
      if (const auto facts = parse_exchange(text))
        ensure(!facts->domain().separator().is_zero(), "an exchange has its domain");
      break;
    default:
      if (const auto config = parse_config(text, "/etc/mizan"))
        ensure(config->state_dir.is_absolute() && config->min_seconds <= config->max_seconds,
               "a configuration is complete");
  }
  return 0;
}
