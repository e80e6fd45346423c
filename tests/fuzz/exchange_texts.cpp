// The signed texts that the exchange reads: an ask's attributes, a bid's spec, the operator's
// options. The first byte says which the rest is.
#include "exchange/options.hpp"
#include "exchange/texts.hpp"
#include "fuzz/fuzz.hpp"

using namespace mizan;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text = fuzz::text_of(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0: {
      eip712::Ask ask;
      ask.chip = (data[0] & 0x80) != 0 ? "cpu" : "H100 SXM";
      ask.nodes = 2;
      ask.units_per_node = 8;
      const auto read = exchange::read_attributes(ask, text);
      if (!read) break;
      for (size_t i = 0; i < market::kNumbers; ++i)
        ensure(read->attributes.numbers[i] == market::kUnknown || read->attributes.numbers[i] >= 0,
               "what an ask says of itself is never below zero");
      break;
    }
    case 1: {
      const auto spec = exchange::read_spec(text, 64 * 1024);
      if (spec && !spec->query.clauses.empty())
        ensure(!spec->query.clauses[0].text.empty(), "a clause keeps its text");
      break;
    }
    default: {
      const auto options = exchange::read_policy_options(text);
      if (!options) break;
      ensure(options->officers.size() <= 64 && options->issuers.size() <= 64,
             "options are bounded");
      for (int i = 0; i <= static_cast<int>(policy::Outcome::prohibited); ++i) {
        const auto outcome = static_cast<policy::Outcome>(i);
        ensure(exchange::stricter(options->stricter, outcome) >= outcome,
               "options never make an outcome milder");
      }
    }
  }
  return 0;
}
