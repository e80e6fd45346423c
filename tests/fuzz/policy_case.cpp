// Case files against the shipped rules: one case gives one verdict, and cases travel as bytes.
#include "codec/binary.hpp"
#include "fuzz/fuzz.hpp"
#include "policy/answer.hpp"
#include "policy/case_json.hpp"
#include "policy/number.hpp"
#include "policy/rules_folder.hpp"

using namespace mizan;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const policy::RuleSet kRules =
      test::load_rules(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  const std::string_view text = fuzz::text_of(data, size);
  for (const bool pending : {false, true})
    for (const auto language : {policy::Language::en, policy::Language::ar}) {
      const auto answer = policy::check_text(kRules, text, {pending}, language);
      if (answer)
        ensure(parse_json(*answer, {size_t{64} << 20, 32, true}).has_value(), "an answer is JSON");
    }
  const auto value = parse_json(policy::quote_decimals(text), {.max_depth = 32});
  if (!value) return 0;
  const auto subject = policy::read_case(kRules, *value, "case");
  if (!subject) return 0;
  const Bytes bytes = encode(*subject);
  const auto again = decode<policy::Case>(bytes);
  ensure(again && encode(*again) == bytes, "a case travels as bytes");
  const policy::Verdict verdict = policy::judge(kRules, *subject);
  ensure(encode(verdict) == encode(policy::judge(kRules, *again)), "one case, one verdict");
  const auto kept = decode<policy::Verdict>(encode(verdict));
  ensure(kept && policy::answer_json(kRules, *again, *kept) ==
                     policy::answer_json(kRules, *subject, verdict),
         "a kept verdict gives the same answer");
  return 0;
}
