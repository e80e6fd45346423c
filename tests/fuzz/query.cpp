// Queries and orders of offers: a query's clauses, as it spells them, are the same query.
#include "market/query.hpp"

#include "fuzz/fuzz.hpp"

using namespace mizan;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto order = market::parse_order(text))
    ensure(order->size() <= market::kFields, "an order has no more keys than there are fields");
  const auto query = market::parse_query(text);
  if (!query) {
    ensure(query.error().details.contains("field") || query.error().code == ErrorCode::too_large,
           "a refused query says where");
    return 0;
  }
  std::string spelled;
  for (const market::Clause& clause : query->clauses) {
    spelled += clause.text + " ";
    // Both kinds of clause, and one that no value is known for.
    for (const market::Milli value : {market::Milli{0}, market::kUnknown})
      if (market::is_number(clause.field)) market::holds(clause, value);
    if (!clause.words.empty()) {
      ensure(market::holds(clause, std::string_view(clause.words[0])) ==
                 (clause.op == market::Op::equal || clause.op == market::Op::in),
             "a clause holds for its own word unless it excludes it");
      market::holds(clause, clause.words);
    }
    for (const market::Milli number : clause.numbers)
      ensure(market::parse_milli(market::format_milli(number)) == number,
             "a number is read as it is written");
  }
  const auto again = market::parse_query(spelled);
  // The spaces between its clauses may take a query over its length.
  if (spelled.size() > 4096) return 0;
  ensure(again && again->clauses == query->clauses, "a query is what its clauses spell");
  return 0;
}
