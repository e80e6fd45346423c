#include "mizan/query_text.hpp"

#include "base/money.hpp"

#include <regex>

namespace mizan::cli {

Result<std::string> query_in_nano(const std::string& query) {
  static const std::regex kClause(R"((^|\s)rate\s*(!=|<=|>=|==|=|<|>)\s*([0-9]+(\.[0-9]+)?))");
  std::string out;
  size_t copied = 0;
  for (std::sregex_iterator at(query.begin(), query.end(), kClause), end; at != end; ++at) {
    const std::smatch& match = *at;
    const std::string op = match[2];
    auto rate = rate_from_usd_hour(match[3].str());
    if (!rate)
      return fail(Error{rate.error().code, "rate: " + rate.error().message, {{"field", "rate"}}});
    MIZAN_TRY(whole, parse_usd(match[3].str()));
    const bool exact = rate->nano * 3600 == whole.nano;
    if (!exact && (op == "<" || op == ">=")) ++rate->nano;
    const auto value = static_cast<size_t>(match.position(3));
    out += query.substr(copied, value - copied) + to_string(*rate);
    copied = value + static_cast<size_t>(match.length(3));
  }
  return out + query.substr(copied);
}

}  // namespace mizan::cli
